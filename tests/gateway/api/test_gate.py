"""What is refused before its body is read, as clients of all manners see it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from gateway.api.proto.diptych.v1 import classify_pb2
from tests.gateway.conftest import RunningGateway, StartGateway, eventually
from tests.gateway.key_files import Keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def full_gateway(
    start_gateway: StartGateway, triton: FakeTriton, **settings: object
) -> AsyncIterator[RunningGateway]:
    """A gateway with one place, which is taken until the end of the block."""
    async with start_gateway(max_concurrency=1, **settings) as gateway:
        taken = asyncio.create_task(gateway.http.post("/v1/classify", json={"text": "wait"}))
        await eventually(lambda: triton.running == 1)
        yield gateway
        triton.release.set()
        assert (await taken).status_code == 200


def head(path: str, length: int, *headers: bytes) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1".encode(), b"Host: x", b"Content-Type: application/json",
        b"Content-Length: %d" % length, *headers,
    )  # fmt: skip
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return answer + await reader.readexactly(int(length))


@asynccontextmanager
async def connection(gateway: RunningGateway) -> AsyncIterator[tuple[Any, Any]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.ports.http)
    yield reader, writer
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/classify:batch"])
async def test_gate_refuses_from_the_head_alone(
    start_gateway: StartGateway, triton: FakeTriton, path: str
) -> None:
    async with full_gateway(start_gateway, triton) as gateway, connection(gateway) as (read, write):
        write.write(head(path, 50_000))  # and not one byte of the body
        assert (await read_answer(read)).startswith(b"HTTP/1.1 429 ")


async def test_gate_refused_body_is_dropped_and_the_connection_serves_on(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with full_gateway(start_gateway, triton) as gateway, connection(gateway) as (read, write):
        for _ in range(3):
            write.write(head("/v1/classify", 5_000_000))
            write.write(b"x" * 5_000_000)
            await write.drain()
            answer = await read_answer(read)
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert b"connection: close" not in answer
        write.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await read_answer(read)).startswith(b"HTTP/1.1 200 ")


async def test_gate_client_that_expects_100_gets_429_and_never_sends(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with full_gateway(start_gateway, triton) as gateway, connection(gateway) as (read, write):
        write.write(head("/v1/classify", 5_000_000, b"Expect: 100-continue"))
        answer = await read_answer(read)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"connection: close" in answer
        assert await read.read() == b""


async def test_gate_refused_connection_that_goes_idle_is_closed(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    starting = full_gateway(start_gateway, triton, idle_timeout_s=0.2)
    async with starting as gateway, connection(gateway) as (read, write):
        write.write(head("/v1/classify", 10))
        await read_answer(read)
        write.write(b"x" * 10)
        assert await asyncio.wait_for(read.read(), 8) == b""


async def test_gate_other_routes_stay_open(start_gateway: StartGateway, triton: FakeTriton) -> None:
    async with full_gateway(start_gateway, triton) as gateway:
        assert (await gateway.http.get("/readyz")).status_code == 200
        assert (await gateway.http.get("/v1/classify")).status_code == 405


async def test_gate_refusal_is_counted_and_the_limit_shown(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with full_gateway(start_gateway, triton) as gateway:
        refused = await gateway.http.post("/v1/classify", json={"text": "a"})
        metrics = (await gateway.http.get("/metrics")).text
    assert refused.status_code == 429
    assert (
        'diptych_gateway_refusals_total{code="concurrency_limit",priority="interactive"} 1.0'
        in metrics
    )
    assert "diptych_gateway_concurrency_limit 1.0" in metrics
    assert 'code="429",modalities="none",route="/v1/classify",variant="none"} 1.0' in metrics


async def test_gate_deadline_header_lowers_the_budget_and_cancels_triton(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    response = await gateway.http.post(
        "/v1/classify", json={"text": "wait"}, headers={"Diptych-Deadline-Ms": "150"}
    )
    assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")
    await eventually(lambda: triton.cancelled == 1)


async def test_gate_batch_has_a_budget_of_its_own(start_gateway: StartGateway) -> None:
    items = {"items": [{"text": "wait"}]}
    async with start_gateway(request_budget_ms=60_000, batch_budget_ms=150) as gateway:
        response = await gateway.http.post("/v1/classify:batch", json=items)
    assert response.json()["items"][0]["problem"]["code"] == "deadline_exceeded"


async def test_gate_deadline_header_cannot_raise_the_budget(start_gateway: StartGateway) -> None:
    async with start_gateway(request_budget_ms=150) as gateway:
        response = await gateway.http.post(
            "/v1/classify", json={"text": "wait"}, headers={"Diptych-Deadline-Ms": "60000"}
        )
    assert response.status_code == 504


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("Diptych-Deadline-Ms", "soon", "deadline_invalid"),
        ("Diptych-Deadline-Ms", "-1", "deadline_invalid"),
        ("Diptych-Deadline-Ms", "nan", "deadline_invalid"),
        ("Diptych-Deadline-Ms", "inf", "deadline_invalid"),
        ("Diptych-Priority", "urgent", "priority_unknown"),
    ],
)
async def test_gate_header_that_cannot_be_read_is_named(
    shared_gateway: RunningGateway, header: str, value: str, code: str
) -> None:
    response = await shared_gateway.http.post(
        "/v1/classify", json={"text": "a"}, headers={header: value}
    )
    problem = response.json()
    assert (response.status_code, problem["code"], problem["field"]) == (400, code, header)


async def test_gate_grpc_metadata_and_refusal_are_those_of_rest(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with full_gateway(start_gateway, triton) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="a"))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    async with start_gateway() as gateway:
        triton.release.clear()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.grpc.Classify(
                classify_pb2.ClassifyRequest(text="wait"),
                metadata=(("diptych-deadline-ms", "150"),),
            )
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_gate_client_above_its_share_is_refused_and_another_is_not(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    modest_key, greedy_key = keys.add("modest"), keys.add("greedy")
    async with start_gateway(max_concurrency=4, api_keys_file=keys.path) as gateway:

        async def ask(key: str, text: str) -> int:
            response = await gateway.http.post(
                "/v1/classify", json={"text": text}, headers={"X-Api-Key": key}
            )
            return response.status_code

        assert await ask(modest_key, "a") == 200
        greedy: list[asyncio.Task[int]] = []
        while triton.running < 3:  # all places but the one that the modest client asks for
            greedy.append(asyncio.create_task(ask(greedy_key, "wait")))
            await asyncio.sleep(0.02)
        assert await ask(greedy_key, "a") == 429
        assert await ask(modest_key, "a") == 200
        metrics = (await gateway.http.get("/metrics")).text
        triton.release.set()
        await asyncio.gather(*greedy)
    assert 'code="client_share"' in metrics


async def test_gate_rate_limit_is_429_from_the_head_alone(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    # So slow that no token comes back while the test runs.
    key = keys.add("slow", extra="rate_rps = 0.01\nburst = 4")
    other = keys.add("other")
    async with start_gateway(api_keys_file=keys.path) as gateway:
        items = {"items": [{"text": "a"}] * 3}
        headers = {"X-Api-Key": key}
        batch = await gateway.http.post("/v1/classify:batch", json=items, headers=headers)
        assert all("result" in each for each in batch.json()["items"])
        single = await gateway.http.post("/v1/classify", json={"text": "a"}, headers=headers)
        assert single.status_code == 200
        async with connection(gateway) as (read, write):
            write.write(head("/v1/classify", 50_000, f"X-Api-Key: {key}".encode()))
            answer = await read_answer(read)
        assert answer.startswith(b"HTTP/1.1 429 ")
        problem = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert problem["code"] == "rate_limit"
        assert 90_000 < problem["retry_after_ms"] <= 100_000
        assert f"retry-after: {problem['retry_after_s']}".encode() in answer
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.grpc.Classify(
                classify_pb2.ClassifyRequest(text="a"), metadata=(("x-api-key", key),)
            )
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        headers = {"X-Api-Key": other}
        response = await gateway.http.post("/v1/classify", json={"text": "a"}, headers=headers)
        assert response.status_code == 200
        metrics = (await gateway.http.get("/metrics")).text
    assert 'refusals_total{code="rate_limit",priority="interactive"} 2.0' in metrics


async def test_gate_stream_says_when_to_ask_again(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    key = keys.add("slow", extra="rate_rps = 0.01\nburst = 1")

    async def messages() -> Any:  # noqa: ANN401 - of an untyped library
        for _ in range(2):
            yield classify_pb2.ClassifyStreamRequest(request=classify_pb2.ClassifyRequest(text="a"))

    async with start_gateway(api_keys_file=keys.path) as gateway:
        call = gateway.grpc.ClassifyStream(messages(), metadata=(("x-api-key", key),))
        (problem,) = [each.problem async for each in call if each.HasField("problem")]
    assert problem.code == "rate_limit"
    assert problem.retry_after_ms == pytest.approx(100_000, rel=0.1)  # the token that is coming
    assert problem.retry_after_s == -(-problem.retry_after_ms // 1000)
