"""Nothing of the inside shows: a failure at any layer is a plain 500, and the log has its cause."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from gateway.api import rest
from gateway.api.grpc_service import PROBLEM_KEY
from gateway.api.operations import OperationsApi
from gateway.api.proto.diptych.v1 import classify_pb2
from gateway.classification import classifier
from gateway.routing.router import Router
from gateway.triton.grpc_backend import TritonBackend

if TYPE_CHECKING:
    from tests.gateway.conftest import RunningGateway

pytestmark = pytest.mark.anyio

SECRET = "password=hunter2 in /srv/models/secret.onnx"

LAYERS: dict[str, tuple[Any, str]] = {
    "reading the body": (rest.ClassificationApi, "_read_item"),
    "choosing the variant": (Router, "decide"),
    "the backend": (TritonBackend, "infer"),
    "reading the outputs": (classifier, "read_logits"),
    "writing the answer": (rest, "classification_answer"),
}


def _fail(*_: object, **__: object) -> Any:  # noqa: ANN401 - stands for anything
    raise RuntimeError(SECRET)


@pytest.mark.parametrize("layer", LAYERS)
async def test_failure_of_a_layer_is_a_500_that_shows_nothing(
    layer: str,
    gateway: RunningGateway,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner, name = LAYERS[layer]
    monkeypatch.setattr(owner, name, _fail)

    answer = await gateway.http.post("/v1/classify", json={"text": "hedgehog"})

    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"
    assert "hunter2" not in answer.text + str(answer.headers)
    assert "RuntimeError" not in answer.text
    assert any(SECRET in str(record.exc_info) for record in caplog.records)


async def test_failure_over_grpc_shows_nothing(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TritonBackend, "infer", _fail)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="hedgehog"))

    assert caught.value.code() is grpc.StatusCode.INTERNAL
    problem = json.loads(dict(caught.value.trailing_metadata() or ())[PROBLEM_KEY])
    assert "hunter2" not in f"{caught.value.details()}{problem}"


async def test_failure_of_another_route_shows_nothing(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OperationsApi, "_default", _fail)

    answer = await gateway.http.get("/v1/models")

    assert answer.status_code == 500
    assert answer.json()["code"] == "internal"  # the edge answers, and not Starlette
    assert answer.headers["x-request-id"]
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("path", ["/v1/models", "/docs", "/livez", "/metrics", "/nowhere"])
async def test_every_answer_tells_browsers_not_to_guess(path: str, gateway: RunningGateway) -> None:
    answer = await gateway.http.get(path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers


async def test_docs_page_may_load_nothing_and_be_framed_by_nobody(gateway: RunningGateway) -> None:
    policy = (await gateway.http.get("/docs")).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
