from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.api.feedback_schemas import FeedbackSummaryAnswer
from tests.gateway.receipts.receipts import write_keys
from tests.gateway.storage.databases import migrate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import RunningGateway, StartGateway

pytestmark = pytest.mark.anyio

# What the fake Triton answers: the last of animal, food, travel.
PREDICTED = "travel"


async def give(gateway: RunningGateway, *labels: str, probability: float = 1.0) -> None:
    for label in labels:
        answer = await gateway.http.post("/v1/classify", json={"text": "a"})
        body = {
            "prediction_id": answer.json()["prediction_id"],
            "label": label,
            "sampling_probability": probability,
        }
        assert (await gateway.http.post("/v1/feedback", json=body)).status_code == 200


async def test_summary_corrects_for_what_was_chosen_and_metrics_say_the_same(
    start_gateway: StartGateway, database_url: str, tmp_path: Path
) -> None:
    migrate(database_url)
    settings = {"database_url": database_url, "receipt_keys_file": write_keys(tmp_path)}
    async with start_gateway(**settings, feedback_figures_refresh_s=0.05) as gateway:
        await give(gateway, *[PREDICTED] * 3, "food")
        await give(gateway, PREDICTED, probability=0.25)
        response = await gateway.http.get("/v1/feedback/summary?days=1&variant=demo")
        shown: list[str] = []

        async def show() -> None:
            shown.append((await gateway.http.get("/metrics")).text)

        await show()
        # Of all five: the figures are read again while labels come.
        while 'figure="accuracy",task="",variant="demo"} 0.875' not in shown[-1]:
            await show()
        empty = await gateway.http.get("/v1/feedback/summary?group=arm")
    answer = FeedbackSummaryAnswer.model_validate(response.json())
    (quality,) = answer.items
    # Three right and one wrong that count once, and one right that counts four times.
    assert quality.accuracy.estimate == pytest.approx(7 / 8)
    assert quality.accuracy.low < 0.6 < 7 / 8 < quality.accuracy.high
    assert quality.labels == 5
    assert quality.effective_labels == pytest.approx(64 / 20)
    assert quality.macro_f1 is not None
    assert quality.calibration_error is not None
    assert "effective_labels{" in shown[-1]
    assert empty.json()["items"] == []


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("days=0", "number_out_of_range", "days"),
        ("group=labels", "group_unknown", "group"),
        ("variant=A%20B", "name_invalid", "variant"),
        ("variants=demo", "parameter_unknown", "variants"),
    ],
)
async def test_summary_bad_parameter_names_it(
    shared_gateway: RunningGateway, query: str, code: str, field: str
) -> None:
    response = await shared_gateway.http.get(f"/v1/feedback/summary?{query}")
    assert response.status_code == 400
    assert (response.json()["code"], response.json()["field"]) == (code, field)


async def test_summary_without_a_database_says_what_to_set(shared_gateway: RunningGateway) -> None:
    response = await shared_gateway.http.get("/v1/feedback/summary")
    assert (response.status_code, response.json()["code"]) == (501, "storage_not_configured")
