"""Clients that are slow, silent, too loud or gone, on real sockets; and honest ones beside them."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from gateway.api.connections import ConnectionEnd, ConnectionLimits, Connections
from gateway.api.proto.diptych.v1 import classify_pb2
from tests.gateway.conftest import RunningGateway, StartGateway, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n"


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def trickle(self, data: bytes, pause_s: float = 0.05) -> None:
        """Sends byte by byte until all is sent or the server has enough of it."""
        with suppress(OSError):
            for index in range(len(data)):
                self.writer.write(data[index : index + 1])
                await self.writer.drain()
                await asyncio.sleep(pause_s)

    async def read_to_end(self) -> bytes:
        """All that comes until the server closes; what it resets ends as well."""
        received = b""
        with suppress(ConnectionResetError):
            while part := await asyncio.wait_for(self.reader.read(65_536), 10):
                received += part
        return received


@asynccontextmanager
async def raw(gateway: RunningGateway, count: int = 1) -> AsyncIterator[list[Client]]:
    clients = [
        Client(*await asyncio.open_connection("127.0.0.1", gateway.ports.http))
        for _ in range(count)
    ]
    yield clients
    for each in clients:
        each.writer.close()


async def ends(gateway: RunningGateway) -> dict[str, float]:
    text = (await gateway.http.get("/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("diptych_gateway_connection_e")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines if "total{" in line}


async def is_served(gateway: RunningGateway) -> bool:
    """Whether a client that comes now is answered at once."""
    async with raw(gateway) as (client,):
        body = b'{"text": "a"}'
        client.send(HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
        answer = await asyncio.wait_for(client.read_to_end(), 5)
    return answer.startswith(b"HTTP/1.1 200 ")


def problem_of(answer: bytes) -> dict[str, Any]:
    problem: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return problem


async def test_trickled_heads_are_ended_and_others_served(start_gateway: StartGateway) -> None:
    async with start_gateway(receive_timeout_s=0.5) as gateway, raw(gateway, 50) as slow:
        sending = [asyncio.create_task(each.trickle(HEAD * 3)) for each in slow]
        assert await is_served(gateway)
        answers = await asyncio.gather(*(each.read_to_end() for each in slow))
        await asyncio.gather(*sending)
        assert all(each.startswith(b"HTTP/1.1 408 ") for each in answers)
        assert problem_of(answers[0])["code"] == "request_timeout"
        assert (await ends(gateway))["head_late"] == 50


async def test_connections_that_say_nothing_are_closed(start_gateway: StartGateway) -> None:
    async with start_gateway(receive_timeout_s=0.3) as gateway, raw(gateway, 20) as silent:
        assert await is_served(gateway)
        assert await asyncio.gather(*(each.read_to_end() for each in silent)) == [b""] * 20


async def test_line_breaks_before_a_request_do_not_keep_a_connection(
    start_gateway: StartGateway,
) -> None:
    # The parser skips them, as RFC 9112, 2.2, asks.
    async with start_gateway(receive_timeout_s=0.3) as gateway, raw(gateway) as (client,):
        sending = asyncio.create_task(client.trickle(b"\r\n" * 100, 0.02))
        await asyncio.wait_for(client.read_to_end(), 2)
        await sending


async def test_idle_connections_are_closed_after_their_time_and_not_before(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(idle_timeout_s=1) as gateway, raw(gateway) as (client,):
        begun_s = asyncio.get_running_loop().time()
        for _ in range(3):
            client.send(GET + b"\r\n")
            assert (await client.reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(0.2)
        assert await client.read_to_end() == b""
        assert asyncio.get_running_loop().time() - begun_s > 1.4
        assert (await ends(gateway))["idle"] >= 1


async def test_trickled_body_gives_its_place_back_and_then_its_connection(
    start_gateway: StartGateway,
) -> None:
    settings = {"request_budget_ms": 300, "receive_timeout_s": 0.5, "batch_budget_ms": 300}
    async with start_gateway(**settings, max_concurrency=4) as gateway, raw(gateway, 4) as slow:
        for each in slow:
            each.send(HEAD + b"Content-Length: 1000\r\n\r\n")
        sending = [asyncio.create_task(each.trickle(b"{" * 1000)) for each in slow]
        await asyncio.sleep(0.5)  # their budget is over, their bodies are not
        assert await is_served(gateway)
        answers = await asyncio.gather(*(each.read_to_end() for each in slow))
        await asyncio.gather(*sending)
        assert all(each.startswith(b"HTTP/1.1 408 ") for each in answers)
        assert (await ends(gateway))["body_late"] == 4


async def test_trickled_body_of_another_route_is_408(start_gateway: StartGateway) -> None:
    # Admission's deadline is later here than the connection's.
    settings = {"request_budget_ms": 60_000, "receive_timeout_s": 0.3, "batch_budget_ms": 100}
    async with start_gateway(**settings) as gateway, raw(gateway) as (client,):
        client.send(HEAD + b"Content-Length: 1000\r\n\r\n{")
        answer = await client.read_to_end()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert "body" in problem_of(answer)["detail"]
        assert await is_served(gateway)


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X-Long: " + b"a" * 5000 + b"\r\n\r\n",
        GET + b"X-Long: " + b"a" * 5000,
        GET + b"".join(b"X-%d: a\r\n" % index for index in range(101)) + b"\r\n",
        b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n" * 3000,
    ],
    ids=["one header", "one without an end", "many headers", "path", "line breaks"],
)
async def test_head_above_its_limit_is_431(start_gateway: StartGateway, head: bytes) -> None:
    async with start_gateway(max_head_bytes=4096) as gateway, raw(gateway) as (client,):
        client.send(head)
        answer = await client.read_to_end()
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert problem_of(answer)["limit"] in {4096, 100}
        assert await is_served(gateway)


async def test_head_in_many_parts_below_the_limit_is_answered(start_gateway: StartGateway) -> None:
    async with start_gateway(max_head_bytes=4096) as gateway, raw(gateway) as (client,):
        for _ in range(3):
            await client.trickle(GET + b"X-Long: " + b"a" * 20 + b"\r\n\r\n", 0)
            assert (await client.reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")


async def test_pipelined_requests_are_answered_in_order(start_gateway: StartGateway) -> None:
    body = b'{"text": "a"}'
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    async with start_gateway(idle_timeout_s=0.5) as gateway, raw(gateway) as (client,):
        client.send(one * 5 + GET + b"\r\n")
        answers = await client.read_to_end()
        assert answers.count(b"HTTP/1.1 200 ") == 6
        assert answers.rindex(b"is_alive") > answers.rindex(b"prediction_id")


async def test_client_that_does_not_read_is_ended(start_gateway: StartGateway) -> None:
    async with start_gateway(receive_timeout_s=0.5) as gateway:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", gateway.ports.http))
            deaf.setblocking(False)
            request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 2000
            loop = asyncio.get_running_loop()
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(loop.sock_sendall(deaf, request), 5)
            async with asyncio.timeout(10):
                while "answer_not_read" not in await ends(gateway):  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.1)
        assert await is_served(gateway)


async def test_body_that_never_ends_after_a_refusal_is_cut_off(
    start_gateway: StartGateway,
) -> None:
    settings = {"receive_timeout_s": 0.5, "batch_budget_ms": 100}
    async with start_gateway(**settings) as gateway, raw(gateway) as (client,):
        client.send(HEAD.replace(b"json", b"xml") + b"Transfer-Encoding: chunked\r\n\r\n")
        reading = asyncio.create_task(client.read_to_end())
        await client.trickle(b"1\r\na\r\n" * 1000, 0.005)
        assert (await reading).startswith(b"HTTP/1.1 415 ")


async def test_many_that_wait_make_way_for_one_that_asks(start_gateway: StartGateway) -> None:
    async with start_gateway(max_connections=10) as gateway, raw(gateway, 30) as silent:
        for each in silent[-5:]:
            each.send(HEAD)
        for _ in range(3):
            assert await is_served(gateway)
        closed = await asyncio.wait_for(silent[0].read_to_end(), 1)
        assert closed == b""
        assert (await ends(gateway))["made_way"] >= 20


async def test_connections_that_are_all_busy_leave_no_room(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(max_connections=3) as gateway, raw(gateway, 3) as busy:
        for each in busy:
            each.send(HEAD + b"Content-Length: 10\r\n\r\n")
        await asyncio.sleep(0.2)
        async with raw(gateway) as (late,):
            answer = await late.read_to_end()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answer


class Counts:
    def __init__(self) -> None:
        self.count = 0
        self.reasons: list[str] = []

    def set_connections(self, count: int) -> None:
        self.count = count

    def count_connection_end(self, reason: str) -> None:
        self.reasons.append(reason)


def test_connections_longest_waiting_makes_way_and_busy_ones_stay() -> None:
    counts = Counts()
    connections = Connections(ConnectionLimits(3, 1024, 1.0, 1.0, 1.0), counts)
    closed: list[str] = []
    for name in "abc":
        assert connections.enter(name)
        connections.wait(name, lambda name=name: closed.append(name))  # type: ignore[misc]
    connections.busy("a")
    assert connections.enter("d")
    assert closed == ["b"]
    connections.leave("b")  # the transport says so later
    connections.busy("c")
    assert not connections.enter("e")
    assert counts.reasons == [ConnectionEnd.MADE_WAY, ConnectionEnd.NO_ROOM]
    connections.leave("a")
    assert connections.enter("e")
    assert counts.count == 3


async def test_grpc_silent_connections_are_closed_and_others_served(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(receive_timeout_s=0.5) as gateway:
        silent = [await asyncio.open_connection("127.0.0.1", gateway.ports.grpc) for _ in range(20)]
        await gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="a"))
        for reader, writer in silent:
            with suppress(ConnectionResetError):
                while await asyncio.wait_for(reader.read(65_536), 10):
                    pass
            writer.close()


async def test_grpc_metadata_above_its_limit_is_refused(start_gateway: StartGateway) -> None:
    async with start_gateway(max_head_bytes=4096) as gateway:
        request = classify_pb2.ClassifyRequest(text="a")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.grpc.Classify(request, metadata=(("x-long", "a" * 5000),))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await gateway.grpc.Classify(request, metadata=(("x-short", "a" * 500),))


async def test_grpc_connections_above_their_limit_are_refused(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(max_connections=5) as gateway:
        await gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="a"))
        opened = [await asyncio.open_connection("127.0.0.1", gateway.ports.grpc) for _ in range(8)]
        ended = [asyncio.create_task(reader.read()) for reader, _ in opened]
        await eventually(lambda: sum(each.done() for each in ended) >= 3)
        await gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="a"))
        for (_, writer), each in zip(opened, ended, strict=True):
            each.cancel()
            writer.close()
        await asyncio.gather(*ended, return_exceptions=True)
