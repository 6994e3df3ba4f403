# ruff: noqa: ANN401 - JSON and untyped protocol messages
from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gateway.api.grpc_service import PROBLEM_KEY
from gateway.api.proto.diptych.v1 import classify_pb2
from tests.gateway.conftest import RunningGateway, StartGateway, eventually
from tests.gateway.fake_triton import BROKEN_IMAGE
from tests.gateway.manifests import DIGEST, LABELS

if TYPE_CHECKING:
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

IMAGE = b"\xff\xd8 image"
SERVICE = "diptych.v1.Classifier"


def item(client_id: str, **fields: Any) -> classify_pb2.ClassifyStreamRequest:
    return classify_pb2.ClassifyStreamRequest(
        client_id=client_id, request=classify_pb2.ClassifyRequest(**fields)
    )


def problem_of(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    metadata = dict(error.trailing_metadata())
    problem: dict[str, Any] = json.loads(metadata[PROBLEM_KEY])
    assert problem["instance"].endswith(metadata["x-request-id"])
    return problem


@pytest.mark.parametrize(
    ("fields", "modalities"),
    [
        ({"image": IMAGE, "text": "a"}, [classify_pb2.MODALITY_IMAGE, classify_pb2.MODALITY_TEXT]),
        ({"image": IMAGE}, [classify_pb2.MODALITY_IMAGE]),
        ({"text": "a", "top_k": 1, "variant": "demo"}, [classify_pb2.MODALITY_TEXT]),
    ],
)
async def test_classify_answers_with_what_is_there(
    shared_gateway: RunningGateway, fields: dict[str, Any], modalities: list[int]
) -> None:
    response = await shared_gateway.grpc.Classify(classify_pb2.ClassifyRequest(**fields))
    assert list(response.modalities) == modalities
    assert (response.variant, response.digest, response.label) == ("demo", DIGEST, LABELS[2])
    assert len(response.top_k) == fields.get("top_k", 3)
    assert response.timings_ms.HasField("decode") == ("image" in fields)
    assert response.batch_sizes.HasField("text_encoder") == ("text" in fields)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, grpc.StatusCode.INVALID_ARGUMENT, "input_missing"),
        ({"text": " "}, grpc.StatusCode.INVALID_ARGUMENT, "text_empty"),
        ({"image": b""}, grpc.StatusCode.INVALID_ARGUMENT, "image_empty"),
        ({"text": "a", "top_k": -1}, grpc.StatusCode.INVALID_ARGUMENT, "top_k_out_of_range"),
        ({"image": BROKEN_IMAGE}, grpc.StatusCode.INVALID_ARGUMENT, "image_undecodable"),
        ({"text": "a", "variant": "no such"}, grpc.StatusCode.NOT_FOUND, "variant_unknown"),
        ({"text": "queue full"}, grpc.StatusCode.RESOURCE_EXHAUSTED, "overloaded"),
        ({"text": "stub died"}, grpc.StatusCode.INTERNAL, "backend_failure"),
    ],
)
async def test_classify_errors_carry_status_and_problem(
    shared_gateway: RunningGateway, fields: dict[str, Any], status: grpc.StatusCode, code: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await shared_gateway.grpc.Classify(classify_pb2.ClassifyRequest(**fields))
    assert caught.value.code() is status
    assert problem_of(caught.value)["code"] == code
    assert "secret-library" not in caught.value.details()


async def test_classify_image_above_limit_names_limit(start_gateway: StartGateway) -> None:
    async with start_gateway(max_image_bytes=2000) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.grpc.Classify(classify_pb2.ClassifyRequest(image=b"x" * 2001))
    assert problem_of(caught.value)["limit"] == 2000


async def test_classify_large_image_is_taken(gateway: RunningGateway, triton: FakeTriton) -> None:
    image = bytes(range(256)) * (40 * 1024)  # exactly the limit, 10 MiB
    await gateway.grpc.Classify(classify_pb2.ClassifyRequest(image=image))
    assert triton.requests[-1].raw_input_contents[0][4:] == image


async def test_classify_client_deadline_reaches_triton(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="wait"), timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: triton.cancelled == 1)


async def test_classify_request_id_is_echoed(shared_gateway: RunningGateway) -> None:
    call = shared_gateway.grpc.Classify(
        classify_pb2.ClassifyRequest(text="a"), metadata=(("x-request-id", "order-66"),)
    )
    await call
    assert dict(await call.trailing_metadata())["x-request-id"] == "order-66"


async def test_stream_answers_each_message_and_bad_ones_alone(
    shared_gateway: RunningGateway,
) -> None:
    async def messages() -> Any:
        yield item("one", text="a")
        yield item("two", image=BROKEN_IMAGE)
        yield item("three")
        yield item("four", image=IMAGE, text="a")

    answers = {
        each.client_id: each async for each in shared_gateway.grpc.ClassifyStream(messages())
    }
    assert answers["one"].result.label == LABELS[2]
    assert answers["two"].problem.code == "image_undecodable"
    assert answers["two"].problem.status == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert answers["three"].problem.code == "input_missing"
    assert answers["four"].WhichOneof("outcome") == "result"


async def test_stream_slow_message_does_not_hold_up_others(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    stream = gateway.grpc.ClassifyStream()
    await stream.write(item("slow", text="wait"))
    await stream.write(item("fast", text="a"))
    assert (await stream.read()).client_id == "fast"
    triton.release.set()
    assert (await stream.read()).client_id == "slow"
    await stream.done_writing()
    assert await stream.read() is grpc.aio.EOF


async def test_stream_bounds_messages_in_flight(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with start_gateway(max_stream_concurrency=3) as gateway:
        stream = gateway.grpc.ClassifyStream()
        for number in range(10):
            await stream.write(item(str(number), text="wait"))
        await stream.done_writing()
        await eventually(lambda: triton.running == 3)
        triton.release.set()
        answered = {each.client_id async for each in stream}
    assert answered == {str(number) for number in range(10)}
    assert triton.most_running == 3


async def test_stream_client_that_leaves_cancels_triton(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    stream = gateway.grpc.ClassifyStream()
    await stream.write(item("one", text="wait"))
    await eventually(lambda: triton.running == 1)
    stream.cancel()
    await eventually(lambda: triton.cancelled == 1)


async def test_stream_at_shutdown_answers_what_it_read_then_ends(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    stream = gateway.grpc.ClassifyStream()
    await stream.write(item("one", text="wait"))
    await eventually(lambda: triton.running == 1)
    gateway.stop.set()
    await asyncio.sleep(0.05)  # the drain begins while the item is in flight
    triton.release.set()
    assert (await stream.read()).client_id == "one"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream.read()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert problem_of(caught.value)["code"] == "draining"


async def test_health_follows_readiness(gateway: RunningGateway, triton: FakeTriton) -> None:
    health = health_pb2_grpc.HealthStub(gateway.channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    states = health_pb2.HealthCheckResponse
    seen = await watch.read()
    while seen.status != states.SERVING:
        seen = await watch.read()
    triton.is_ready = False
    assert (await watch.read()).status == states.NOT_SERVING
    watch.cancel()


async def test_reflection_lists_the_service(shared_gateway: RunningGateway) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(shared_gateway.channel)

    async def requests() -> Any:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    (response,) = [each async for each in stub.ServerReflectionInfo(requests())]
    names = {each.name for each in response.list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health"} <= names
