"""Drift and capture through the whole gateway, in front of a fake Triton that gives features."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.dataset
import pytest

from exporters.drift.reference import fit_reference
from gateway.api.schemas import ModelsAnswer
from gateway.capture.folder import CaptureFolder
from tests.drift_population import IMAGE_DIM, TEXT_DIM, Population
from tests.gateway.fake_triton import features
from tests.gateway.manifests import make_repository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import RunningGateway, StartGateway
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

DIMS = {"IMAGE_FEATURES": IMAGE_DIM, "TEXT_FEATURES": TEXT_DIM}
IMAGE = b"\x89PNG of one pixel"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    population = Population(tmp_path_factory.mktemp("images"))
    data = population.reference_data(np.random.default_rng(1), rows=300)
    return fit_reference(data).model_dump_json()


async def send(gateway: RunningGateway, text: str, image: bytes | None = IMAGE) -> dict[str, Any]:
    body: dict[str, Any] = {"text": text}
    if image is not None:
        body["image"] = base64.b64encode(image).decode()
    answer = await gateway.http.post("/v1/classify", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def metric(gateway: RunningGateway, line: str) -> float | None:
    text = (await gateway.http.get("/metrics")).text
    found = [each for each in text.splitlines() if each.startswith(line + " ")]
    return float(found[0].rpartition(" ")[2]) if found else None


async def until(gateway: RunningGateway, line: str, value: float) -> None:
    async with asyncio.timeout(20):
        while await metric(gateway, line) != value:  # noqa: ASYNC110 - a metric, over HTTP
            await asyncio.sleep(0.05)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pyarrow.dataset.dataset(folder).to_table().to_pylist()
    return rows


async def test_captured_answer_holds_features_and_receipt_and_no_input(
    triton: FakeTriton, start_gateway: StartGateway, tmp_path: Path
) -> None:
    triton.feature_dims = DIMS
    async with start_gateway(capture_folder=tmp_path, capture_ratio=1.0) as gateway:
        answer = await send(gateway, "a red house")

    [row] = rows_of(tmp_path)
    assert row["prediction_id"] == answer["prediction_id"]
    assert row["prediction_id"][-1] != row["prediction_key"]
    assert (row["variant"], row["modalities"], row["label"]) == ("demo", "both", answer["label"])
    assert row["confidence"] == pytest.approx(answer["score"], abs=1e-6)
    assert row["sampling_weight"] == 1.0
    expected = features(b"a red house", TEXT_DIM).astype(np.float16)
    np.testing.assert_array_equal(np.array(row["text_features"], np.float16), expected)
    assert len(row["image_features"]) == IMAGE_DIM
    assert (row["image_format"], row["text_chars"], row["text_script"]) == ("png", 11, "latin")
    assert row["image"] is None
    assert row["text"] is None


async def test_inputs_are_captured_where_that_was_asked_for(
    triton: FakeTriton, start_gateway: StartGateway, tmp_path: Path
) -> None:
    triton.feature_dims = DIMS
    async with start_gateway(
        capture_folder=tmp_path, capture_ratio=1.0, has_captured_inputs=True
    ) as gateway:
        await send(gateway, "a red house")

    [row] = rows_of(tmp_path)
    assert (row["image"], row["text"]) == (IMAGE, "a red house")


async def reference_shown(gateway: RunningGateway) -> str:
    answer = ModelsAnswer.model_validate((await gateway.http.get("/v1/models")).json())
    [model] = answer.models
    return model.drift_reference


async def test_models_say_that_a_gateway_without_drift_and_capture_watches_nothing(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(drift_window_items=0) as gateway:
        assert await reference_shown(gateway) == "not_watched"


async def test_features_are_asked_for_when_an_answer_is_drawn_and_else_not(
    triton: FakeTriton, start_gateway: StartGateway, tmp_path: Path
) -> None:
    triton.feature_dims = DIMS
    async with start_gateway() as gateway:
        await send(gateway, "one")
    async with start_gateway(capture_folder=tmp_path, capture_ratio=1.0) as gateway:
        await send(gateway, "two")

    asked = [{each.name for each in request.outputs} for request in triton.requests]
    answers = {"LOGITS", "IMAGE_TRACE", "TEXT_TRACE"}
    assert asked == [answers, answers | set(DIMS)]


async def test_variant_without_features_is_served_and_not_watched(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    async with start_gateway(capture_folder=tmp_path, capture_ratio=1.0) as gateway:
        await until(gateway, 'diptych_drift_reference_info{state="missing",variant="demo"}', 1.0)
        assert await reference_shown(gateway) == "missing"
        await send(gateway, "one")

    assert CaptureFolder(tmp_path).parts() == []


async def test_reference_of_other_features_is_refused(
    triton: FakeTriton, start_gateway: StartGateway, reference: str
) -> None:
    triton.feature_dims = {**DIMS, "TEXT_FEATURES": TEXT_DIM + 1}
    triton.drift_reference = reference
    async with start_gateway() as gateway:
        await until(gateway, 'diptych_drift_reference_info{state="unreadable",variant="demo"}', 1.0)
        assert await reference_shown(gateway) == "unreadable"
        await send(gateway, "one")


async def test_shifted_traffic_shows_in_the_metrics(
    triton: FakeTriton, start_gateway: StartGateway, reference: str
) -> None:
    triton.feature_dims = DIMS
    triton.drift_reference = reference
    async with start_gateway(drift_window_s=0.5) as gateway:
        await until(gateway, 'diptych_drift_reference_info{state="loaded",variant="demo"}', 1.0)
        assert await reference_shown(gateway) == "loaded"
        # Features of the fake are of no population's: standard normal, alone and in pairs.
        for start in range(0, 120, 4):
            await asyncio.gather(
                *(send(gateway, f"text {number}", None) for number in range(start, start + 4))
            )
        await until(gateway, 'diptych_drift_windows_total{modalities="text",variant="demo"}', 1.0)
        drifting = [
            await metric(
                gateway,
                f'diptych_drift_is_drifting{{kind="{kind}",modalities="text",task="",'
                'variant="demo"}',
            )
            for kind in ("text_embedding", "image_embedding")
        ]

    assert drifting == [1.0, None]


async def test_reused_answers_are_not_drawn_and_keep_no_features(
    triton: FakeTriton, start_gateway: StartGateway, tmp_path: Path
) -> None:
    triton.feature_dims = DIMS
    async with start_gateway(
        capture_folder=tmp_path,
        capture_ratio=1.0,
        has_coalescing=True,
        answer_cache_bytes=1_000_000,
    ) as gateway:
        for _ in range(3):
            await send(gateway, "again")
        cached_bytes = await metric(gateway, "diptych_gateway_answer_cache_bytes")
    async with start_gateway(answer_cache_bytes=1_000_000) as gateway:
        await send(gateway, "again")
        without_capture_bytes = await metric(gateway, "diptych_gateway_answer_cache_bytes")

    assert len(rows_of(tmp_path)) == 1
    assert cached_bytes == without_capture_bytes


async def test_disagreement_with_a_shadow_is_captured(
    triton: FakeTriton, start_gateway: StartGateway, tmp_path: Path
) -> None:
    triton.feature_dims = DIMS
    # The fake's best label is the last: with other labels it is another one.
    candidate = make_repository(variant="other", digest="b" * 64, labels=("travel", "food"))
    triton.repository |= candidate
    experiments = tmp_path / "experiments.toml"
    experiments.write_text('[[shadows]]\nname = "next"\ncandidate = "other"\nshare = 1.0\n')
    async with start_gateway(
        capture_folder=tmp_path / "capture",
        capture_ratio=0.0,
        capture_low_confidence_ratio=0.0,
        default_variant="demo",
        experiments_file=experiments,
    ) as gateway:
        await send(gateway, "one")
        await until(
            gateway,
            'diptych_gateway_shadow_calls_total{outcome="differed",shadow="next"}',
            1.0,
        )

    [row] = rows_of(tmp_path / "capture")
    assert (row["reasons"], row["shadow_agreed"], row["sampling_weight"]) == (
        ["disagreement"],
        False,
        1.0,
    )


async def test_folder_that_cannot_be_written_ends_the_start(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    from gateway.start_errors import CaptureFolderError

    (tmp_path / "file").write_text("")
    with pytest.raises(CaptureFolderError, match="DIPTYCH_GATEWAY_CAPTURE_FOLDER"):
        async with start_gateway(capture_folder=tmp_path / "file"):
            pass
