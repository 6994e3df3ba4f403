"""Feedback as callers give it, over REST and gRPC."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from gateway.api.feedback_schemas import FeedbackAnswer, FeedbackBatchAnswer
from gateway.api.proto.diptych.v1 import classify_pb2, feedback_pb2, feedback_pb2_grpc
from gateway.contract.manifest import ModalitySet
from gateway.feedback.outcome_queries import read_outcomes
from gateway.feedback.outcomes import JoinedOutcome, OutcomeFilter
from gateway.receipts.keys_file import read_receipt_keys
from gateway.receipts.ring import ReceiptRing
from gateway.storage.database import Database
from tests.gateway.api.test_task_answers import manifest_of
from tests.gateway.key_files import Keys
from tests.gateway.manifests import make_dual_repository
from tests.gateway.receipts.receipts import make_receipt, write_keys
from tests.gateway.storage.databases import migrate, sqlite_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.receipts.receipt import Receipt
    from tests.gateway.conftest import RunningGateway, StartGateway
    from tests.gateway.fake_triton import FakeTriton
    from tests.gateway.storage.databases import Postgresql

pytestmark = pytest.mark.anyio

# What the fake Triton answers: the last of animal, food, travel.
PREDICTED = "travel"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return sqlite_url(tmp_path)


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return write_keys(tmp_path)


@pytest.fixture
async def gateway(
    start_gateway: StartGateway, url: str, keys_file: Path
) -> AsyncIterator[RunningGateway]:
    async with start_gateway(database_url=url, receipt_keys_file=keys_file) as running:
        yield running


async def predict(gateway: RunningGateway, **fields: object) -> str:
    response = await gateway.http.post("/v1/classify", json={"text": "a", **fields})
    return str(response.json()["prediction_id"])


async def give(gateway: RunningGateway, **fields: object) -> tuple[int, dict[str, Any]]:
    response = await gateway.http.post("/v1/feedback", json=fields)
    return response.status_code, response.json()


async def outcomes(url: str) -> list[JoinedOutcome]:
    database = Database(url)
    found = await database.read(lambda session: read_outcomes(session, OutcomeFilter(), limit=999))
    await database.close()
    return found


async def test_feedback_joins_its_prediction_and_is_idempotent(
    gateway: RunningGateway, url: str
) -> None:
    prediction_id = await predict(gateway)
    status, answer = await give(gateway, prediction_id=prediction_id, label=PREDICTED)
    assert status == 200, answer
    assert FeedbackAnswer.model_validate(answer).status == "recorded"
    again = await give(gateway, prediction_id=prediction_id, label=PREDICTED)
    assert again[1]["status"] == "unchanged"
    other = await give(gateway, prediction_id=prediction_id, label="food")
    assert other[1]["status"] == "corrected"
    late = await give(
        gateway,
        prediction_id=prediction_id,
        label="animal",
        labelled_at=(datetime.now(UTC) - timedelta(hours=1)).isoformat(),
    )
    assert late[1]["status"] == "outdated"
    (outcome,) = await outcomes(url)
    assert (outcome.variant, outcome.predicted, outcome.label) == (
        "demo",
        (PREDICTED,),
        ("food",),
    )
    assert (outcome.modalities, outcome.is_correct) == ("text", False)
    unsure = await give(gateway, prediction_id=prediction_id, is_unsure=True)
    assert unsure[1]["status"] == "corrected"
    assert (await outcomes(url))[0].label is None
    shown = (await gateway.http.get("/metrics")).text
    assert 'diptych_gateway_feedback_items_total{outcome="corrected"} 2.0' in shown


async def test_feedback_batch_answers_each_item_and_records_the_good(
    gateway: RunningGateway, url: str
) -> None:
    first, second = await predict(gateway), await predict(gateway)
    items = [
        {"prediction_id": first, "label": PREDICTED, "sampling_probability": 0.25},
        {"prediction_id": first[:-1], "label": PREDICTED},
        {"prediction_id": second, "label": "foood"},
        {"prediction_id": second},
        {"prediction_id": second, "is_unsure": True, "extra": 1},
        {"prediction_id": second, "is_unsure": True},
    ]
    response = await gateway.http.post("/v1/feedback:batch", json={"items": items})
    assert response.status_code == 200
    FeedbackBatchAnswer.model_validate(response.json())
    results = response.json()["items"]
    assert [each.get("result", {}).get("status") for each in results] == [
        "recorded", None, None, None, None, "recorded",
    ]  # fmt: skip
    problems = [each["problem"] for each in results if "problem" in each]
    assert [each["code"] for each in problems] == [
        "receipt_forged", "label_unknown", "verdict_missing", "field_unknown",
    ]  # fmt: skip
    assert problems[0]["field"] == "prediction_id"
    assert "Did you mean 'food'?" in problems[1]["detail"]
    assert {(each.label, each.weight) for each in await outcomes(url)} == {
        ((PREDICTED,), 4.0),
        (None, 1.0),
    }


async def test_feedback_over_grpc_has_the_same_meaning(gateway: RunningGateway, url: str) -> None:
    stub = feedback_pb2_grpc.FeedbackStub(gateway.channel)
    message = await gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="a"))
    verdict = feedback_pb2.TaskVerdict(label="food")
    moment_ms = int(datetime.now(UTC).timestamp() * 1000)
    items = [
        feedback_pb2.FeedbackItem(
            prediction_id=message.prediction_id,
            verdict=verdict,
            labelled_at_ms=moment_ms,
            sampling_probability=0.5,
        ),
        feedback_pb2.FeedbackItem(prediction_id="pred_x", verdict=verdict),
        feedback_pb2.FeedbackItem(prediction_id=message.prediction_id),
        feedback_pb2.FeedbackItem(
            prediction_id=message.prediction_id, verdict=verdict, labelled_at_ms=-1
        ),
    ]
    answer = await stub.GiveFeedback(feedback_pb2.GiveFeedbackRequest(items=items))
    assert (answer.items[0].result.status, answer.items[0].result.variant) == ("recorded", "demo")
    assert [each.problem.code for each in answer.items[1:]] == [
        "receipt_malformed", "verdict_missing", "labelled_at_invalid",
    ]  # fmt: skip
    (outcome,) = await outcomes(url)
    assert (outcome.label, outcome.weight) == (("food",), 2.0)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.GiveFeedback(feedback_pb2.GiveFeedbackRequest())
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_feedback_of_tasks_is_checked_and_kept_task_by_task(
    start_gateway: StartGateway, triton: FakeTriton, url: str
) -> None:
    triton.repository = {f"demo-{e}": manifest_of(e).model_dump_json() for e in ModalitySet}
    async with start_gateway(database_url=url) as gateway:
        prediction_id = await predict(gateway)
        good = await give(
            gateway,
            prediction_id=prediction_id,
            label="cat",
            tasks={"tags": {"labels": ["loud"]}},
        )
        assert good[1]["status"] == "recorded"
        for fields, code, hint in (
            ({"tasks": {"tagz": {"labels": []}}}, "task_unknown", "'tags'"),
            ({"tasks": {"tags": {"label": "loud"}}}, "verdict_unfitting", "send labels"),
            ({"labels": ["cat"]}, "verdict_unfitting", "send label"),
            ({"tasks": {"tags": {"labels": ["tam"]}}}, "label_unknown", "'tame'"),
            ({"label": "cat", "tasks": {"kind": {"label": "dog"}}}, "verdict_twice", "kind"),
            ({"label": "cat", "is_unsure": True}, "verdict_ambiguous", "more than one"),
        ):
            _, problem = await give(gateway, prediction_id=prediction_id, **fields)
            assert (problem["code"], hint in problem["detail"]) == (code, True), problem
    found = {each.task: each for each in await outcomes(url)}
    assert (found["kind"].label, found["kind"].is_correct) == (("cat",), False)
    assert (found["tags"].predicted, found["tags"].is_correct) == (("loud",), True)
    assert found["tags"].confidence is None


async def test_feedback_of_labels_that_came_with_the_request_is_taken_as_given(
    start_gateway: StartGateway, triton: FakeTriton, url: str
) -> None:
    triton.repository.update(make_dual_repository())
    async with start_gateway(database_url=url) as gateway:
        fields = {"text": "cat", "labels": ["red cat", "blue dog"]}
        right, wrong = await predict(gateway, **fields), await predict(gateway, **fields)
        assert (await give(gateway, prediction_id=right, label="red cat"))[0] == 200
        assert (await give(gateway, prediction_id=wrong, label="green bird"))[0] == 200
    found = {each.label: (each.predicted, each.is_correct) for each in await outcomes(url)}
    assert found == {("red cat",): (("red cat",), True), ("green bird",): (None, False)}


async def test_feedback_after_the_variant_is_gone_is_stored_as_given(
    start_gateway: StartGateway, triton: FakeTriton, url: str, keys_file: Path
) -> None:
    async with start_gateway(database_url=url, receipt_keys_file=keys_file) as gateway:
        prediction_id = await predict(gateway)
    triton.repository = {
        name.replace("demo", "next"): (text or "").replace('"variant":"demo"', '"variant":"next"')
        for name, text in triton.repository.items()
    }
    async with start_gateway(database_url=url, receipt_keys_file=keys_file) as gateway:
        assert (await give(gateway, prediction_id=prediction_id, label="new kind"))[0] == 200
    (outcome,) = await outcomes(url)
    assert (outcome.predicted, outcome.label) == ((PREDICTED,), ("new kind",))


def sign(keys_file: Path, receipt: Receipt) -> str:
    return ReceiptRing(read_receipt_keys(keys_file)).sign(receipt).text


async def test_feedback_too_late_has_a_problem_of_its_own(
    gateway: RunningGateway, keys_file: Path
) -> None:
    old = make_receipt(issued_at=datetime.now(UTC) - timedelta(days=31))
    status, problem = await give(gateway, prediction_id=sign(keys_file, old), label="food")
    assert (status, problem["type"]) == (410, "urn:diptych:problem:stale-receipt")
    assert (problem["limit"], problem["actual"], problem["field"]) == (30, 31, "prediction_id")


@pytest.mark.parametrize(
    ("fields", "status", "code", "field"),
    [
        ({"prediction_id": "pred_1"}, 422, "receipt_malformed", "prediction_id"),
        ({"label": "x" * 201}, 413, "label_too_long", "label"),
        ({"label": ""}, 400, "label_invalid", "label"),
        ({"label": "a\0b"}, 400, "label_invalid", "label"),
        ({"label": 1}, 400, "field_invalid", "label"),
        ({"lable": "food"}, 400, "field_unknown", "lable"),
        ({"label": "food", "sampling_probability": 0}, 400, "sampling_probability_out_of_range",
         "sampling_probability"),
        ({"label": "food", "sampling_probability": 1.5}, 400, "sampling_probability_out_of_range",
         "sampling_probability"),
        ({"label": "food", "labelled_at": "2999-01-01T00:00:00Z"}, 400, "labelled_at_in_future",
         "labelled_at"),
        ({"label": "food", "labelled_at": "2026-01-01"}, 400, "field_invalid", "labelled_at"),
    ],
)  # fmt: skip
async def test_feedback_that_is_not_right_names_the_field(
    gateway: RunningGateway, fields: dict[str, object], status: int, code: str, field: str
) -> None:
    prediction_id = await predict(gateway)
    answer = await give(gateway, **{"prediction_id": prediction_id, **fields})
    assert (answer[0], answer[1]["code"], answer[1]["field"]) == (status, code, field)


async def test_feedback_batch_above_its_limits_is_refused(gateway: RunningGateway) -> None:
    items = [{"prediction_id": "pred_1", "label": "a"}] * 257
    response = await gateway.http.post("/v1/feedback:batch", json={"items": items})
    assert (response.status_code, response.json()["limit"]) == (413, 256)
    huge = await gateway.http.post("/v1/feedback", json={"prediction_id": "x" * 70_000})
    assert (huge.status_code, huge.json()["code"]) == (413, "body_too_large")


async def test_feedback_needs_its_own_scope(
    start_gateway: StartGateway, tmp_path: Path, url: str
) -> None:
    keys = Keys(tmp_path)
    classifier, labeller = keys.add("shop"), keys.add("desk", "feedback")
    async with start_gateway(api_keys_file=keys.path, database_url=url) as gateway:
        response = await gateway.http.post(
            "/v1/classify", json={"text": "a"}, headers={"x-api-key": classifier}
        )
        body = {"prediction_id": response.json()["prediction_id"], "label": "food"}
        statuses = [
            (await gateway.http.post("/v1/feedback", json=body, headers=headers)).status_code
            for headers in ({}, {"x-api-key": classifier}, {"x-api-key": labeller})
        ]
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await feedback_pb2_grpc.FeedbackStub(gateway.channel).GiveFeedback(
                feedback_pb2.GiveFeedbackRequest(), metadata=(("x-api-key", classifier),)
            )
    assert statuses == [401, 403, 200]
    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_feedback_without_a_database_says_what_to_set(start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway:
        status, problem = await give(gateway, prediction_id=await predict(gateway), label="food")
    assert (status, problem["code"]) == (501, "storage_not_configured")


async def test_feedback_before_a_shared_database_without_shared_keys_says_what_to_set(
    start_gateway: StartGateway, postgresql: Postgresql
) -> None:
    async with start_gateway(database_url=postgresql.new_database()) as gateway:
        status, problem = await give(gateway, prediction_id=await predict(gateway), label="food")
    assert (status, problem["code"]) == (501, "receipt_keys_missing")
    assert "RECEIPT_KEYS_FILE" in problem["detail"]


async def test_feedback_while_the_database_is_away_is_503_and_classifying_goes_on(
    start_gateway: StartGateway, postgresql: Postgresql, keys_file: Path
) -> None:
    url = postgresql.new_database()
    migrate(url)
    async with start_gateway(database_url=url, receipt_keys_file=keys_file) as gateway:
        prediction_id = await predict(gateway)
        await asyncio.to_thread(postgresql.set_away, url, is_away=True)
        response = await gateway.http.post(
            "/v1/feedback", json={"prediction_id": prediction_id, "label": "food"}
        )
        assert (response.status_code, response.json()["code"]) == (503, "storage_unavailable")
        assert int(response.headers["retry-after"]) >= 1
        assert await predict(gateway)
        await asyncio.to_thread(postgresql.set_away, url, is_away=False)
        assert (await give(gateway, prediction_id=prediction_id, label="food"))[0] == 200


async def test_feedback_beyond_what_may_wait_is_refused_and_nothing_else_is_lost(
    start_gateway: StartGateway, url: str
) -> None:
    async with start_gateway(database_url=url, max_feedback_waiting=3) as gateway:
        ids = [await predict(gateway) for _ in range(6)]
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # as another writer that takes its time
        calls = [
            asyncio.create_task(give(gateway, prediction_id=each, label="food")) for each in ids
        ]
        done, waiting = await asyncio.wait(calls, timeout=1)
        assert {call.result()[1]["code"] for call in done} == {"feedback_queue_full"}
        assert (len(done), len(waiting)) == (3, 3)
        other.close()
        await asyncio.wait(waiting)
        assert [call.result()[0] for call in waiting] == [200] * 3
    assert len(await outcomes(url)) == 3
