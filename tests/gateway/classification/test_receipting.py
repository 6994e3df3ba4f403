from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.api.proto.diptych.v1 import classify_pb2
from gateway.contract.manifest import ModalitySet
from gateway.receipts.keys_file import read_receipt_keys
from gateway.receipts.receipt import labels_digest
from gateway.receipts.ring import ReceiptRing
from gateway.routing.reason import Reason
from tests.gateway.manifests import DIGEST, make_dual_repository
from tests.gateway.receipts.receipts import write_keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import StartGateway
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

EXPERIMENTS = """
[[experiments]]
name = "heads"
layer = "search"
unit = "meta.user"
control = "demo"
[experiments.arms.demo]
weight = 1
[experiments.arms.other]
weight = 3
"""


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return write_keys(tmp_path)


async def test_prediction_id_says_what_was_answered(
    start_gateway: StartGateway, keys_file: Path
) -> None:
    ring = ReceiptRing(read_receipt_keys(keys_file))
    async with start_gateway(receipt_keys_file=keys_file) as gateway:
        response = await gateway.http.post("/v1/classify", json={"text": "a", "unit": "user-1"})
        message = await gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="a", top_k=1))
    answer = response.json()
    receipt = ring.verify(answer["prediction_id"]).receipt
    (task,) = receipt.tasks
    assert (receipt.variant, receipt.digest) == ("demo", DIGEST[:16])
    assert (receipt.modalities, receipt.reason) == (ModalitySet.TEXT, Reason.NEWEST)
    assert (receipt.draw, receipt.unit) == (None, ring.unit_hash("user-1"))
    assert (task.name, task.labels) == ("", (answer["label"],))
    # Scores are kept to 1/16383.
    assert task.scores == pytest.approx([each["score"] for each in answer["top_k"]], abs=1e-4)
    over_grpc = ring.verify(message.prediction_id).receipt
    assert (over_grpc.unit, len(over_grpc.tasks[0].scores)) == (None, 1)


async def test_prediction_id_in_an_experiment_has_its_draw_and_hides_the_unit(
    start_gateway: StartGateway, triton: FakeTriton, keys_file: Path, tmp_path: Path
) -> None:
    for name, manifest in list(triton.repository.items()):
        assert manifest is not None
        triton.repository[name.replace("demo", "other")] = manifest.replace(
            '"variant":"demo"', '"variant":"other"'
        )
    experiments = tmp_path / "experiments.toml"
    experiments.write_text(EXPERIMENTS)
    ring = ReceiptRing(read_receipt_keys(keys_file))
    body = {"text": "a", "metadata": {"user": "user-7"}}
    async with start_gateway(receipt_keys_file=keys_file, experiments_file=experiments) as gateway:
        answers = [(await gateway.http.post("/v1/classify", json=body)).json() for _ in range(2)]
    receipts = [ring.verify(each["prediction_id"]).receipt for each in answers]
    draw = receipts[0].draw
    assert draw is not None
    assert draw == receipts[1].draw
    assert (draw.experiment, draw.layer, draw.is_sticky) == ("heads", "search", True)
    assert draw.arm == answers[0]["assignment"]["arm"]
    assert draw.propensity == (0.75 if draw.arm == "other" else 0.25)
    assert receipts[0].reason is Reason.ASSIGNED
    assert receipts[0].unit == ring.unit_hash("user-7")


async def test_prediction_id_of_labels_that_came_with_the_request_does_not_repeat_them(
    start_gateway: StartGateway, triton: FakeTriton, keys_file: Path
) -> None:
    triton.repository.update(make_dual_repository())
    ring = ReceiptRing(read_receipt_keys(keys_file))
    async with start_gateway(receipt_keys_file=keys_file) as gateway:
        body = {"text": "cat", "labels": ["red cat", "blue dog"]}
        response = await gateway.http.post("/v1/classify", json=body)
    (task,) = ring.verify(response.json()["prediction_id"]).receipt.tasks
    assert task.labels is None
    assert task.digest == labels_digest(response.json()["label"])


async def test_without_a_file_of_keys_ids_are_signed_all_the_same_and_differ(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway() as gateway:
        bodies = [{"text": "a"}] * 3
        answer = await gateway.http.post("/v1/classify:batch", json={"items": bodies})
        shown = (await gateway.http.get("/metrics")).text
    ids = {each["result"]["prediction_id"] for each in answer.json()["items"]}
    assert len(ids) == 3
    assert "diptych_gateway_receipt_keys 0.0" in shown
