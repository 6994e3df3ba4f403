"""Calls of a server that gRPC's own library runs."""

# ruff: noqa: ANN401 - a context of grpc
from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from deploy.local.triton_server import free_ports
from gateway.grpc_client.errors import RpcError
from tests.gateway.conftest import eventually
from tests.gateway.grpc_client.listening import PATIENCE_S, open_channel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.grpc_client.channel import Channel

pytestmark = pytest.mark.anyio

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Server:
    """A server of some methods, each of bytes.

    Attributes:
        release: `Wait` waits for it.
        running: how many calls of `Wait` are running.
        cancelled: how many of them the client has cancelled.
        metadata: of the last call.
        remaining_s: of the last call.
    """

    def __init__(self, *options: tuple[str, int]) -> None:
        self._options = [*UNLIMITED, ("grpc.so_reuseport", 0), *options]
        self.port = free_ports(1)[0]
        self.release = asyncio.Event()
        self.running = 0
        self.most_running = 0
        self.cancelled = 0
        self.metadata: dict[str, str | bytes] = {}
        self.remaining_s = 0.0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(method)
            for name, method in {
                "Echo": self._echo,
                "Wait": self._wait,
                "Abort": self._abort,
                "Many": self._many,
            }.items()
        }
        self._server = grpc.aio.server(options=self._options)
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("test.Service", handlers)]
        )
        assert self._server.add_insecure_port(self.address) == self.port
        await self._server.start()

    async def stop(self, grace_s: float | None = None) -> None:
        await self._server.stop(grace_s)

    async def _echo(self, request: bytes, context: Any) -> bytes:
        self.metadata = dict(context.invocation_metadata())
        self.remaining_s = context.time_remaining()
        return request

    async def _wait(self, request: bytes, context: Any) -> bytes:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return request

    async def _abort(self, request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata([("x-a", "b")])
        code, _, message = request.decode().partition(" ")
        await context.abort(grpc.StatusCode[code], message)
        raise AssertionError("abort raises")

    async def _many(self, request: bytes, context: Any) -> bytes:
        """Answers with as many bytes as the request says."""
        return bytes(int(request))


@asynccontextmanager
async def running_server(*options: tuple[str, int]) -> AsyncIterator[Server]:
    server = Server(*options)
    await server.start()
    try:
        yield server
    finally:
        server.release.set()
        await server.stop()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with running_server() as server:
        yield server


async def ask(
    channel: Channel, method: str, message: bytes = b"", *, timeout_s: float = PATIENCE_S
) -> bytes:
    answer: bytes = await channel.call(f"/test.Service/{method}", [message], timeout_s=timeout_s)
    return answer


async def is_answered(channel: Channel) -> bool:
    try:
        return await ask(channel, "Echo", b"abc") == b"abc"
    except RpcError:
        return False


async def refused(
    channel: Channel, method: str, message: bytes = b"", *, timeout_s: float = PATIENCE_S
) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await ask(channel, method, message, timeout_s=timeout_s)
    return caught.value


@pytest.mark.parametrize("size", [0, 1, 65_530, 65_535, 300_000, 3 * 1024 * 1024])
async def test_message_of_any_size_comes_back(server: Server, size: int) -> None:
    message = (bytes(range(251)) * (size // 251 + 1))[:size]
    async with open_channel(server.address) as channel:
        for _ in range(2):
            assert await ask(channel, "Echo", message) == message


async def test_calls_at_the_same_time_get_each_its_own_answer(server: Server) -> None:
    messages = [b"%d" % each * (each * 97) for each in range(100)]
    async with open_channel(server.address) as channel:
        assert await asyncio.gather(*(ask(channel, "Echo", each) for each in messages)) == messages


async def test_large_messages_at_the_same_time_come_back(server: Server) -> None:
    messages = [bytes([each]) * 700_000 for each in range(8)]
    async with open_channel(server.address) as channel:
        assert await asyncio.gather(*(ask(channel, "Echo", each) for each in messages)) == messages


async def ask_until_taken(channel: Channel, method: str, message: bytes) -> bytes:
    """Asks again where gRPC's server still counts a stream that it has ended."""
    while True:
        try:
            return await ask(channel, method, message)
        except RpcError as error:
            if "code 7" not in error.message:  # REFUSED_STREAM
                raise


async def test_calls_beyond_what_the_server_takes_wait() -> None:
    messages = [b"%d" % each for each in range(20)]
    async with (
        running_server(("grpc.max_concurrent_streams", 2)) as server,
        open_channel(server.address) as channel,
    ):
        calls = [
            asyncio.create_task(ask_until_taken(channel, "Wait", message)) for message in messages
        ]
        await eventually(lambda: server.running == 2)
        server.release.set()
        assert await asyncio.gather(*calls) == messages
        assert server.most_running == 2


@pytest.mark.parametrize(
    "message",
    ["no such model", "Größe: 100 %\n\t„zu groß“ 😀", "", "%41 stays", "a" * 4000],
)
async def test_error_has_the_status_and_the_message_of_the_server(
    server: Server, message: str
) -> None:
    async with open_channel(server.address) as channel:
        error = await refused(channel, "Abort", f"NOT_FOUND {message}".encode())
        assert (error.status, error.message) == (grpc.StatusCode.NOT_FOUND, message)


async def test_error_with_a_message_beyond_our_limit_fails_its_call_alone(server: Server) -> None:
    async with open_channel(server.address) as channel:
        waiting = asyncio.create_task(ask(channel, "Wait", b"abc"))
        await eventually(lambda: server.running == 1)
        error = await refused(channel, "Abort", b"NOT_FOUND " + b"a" * 20_000)
        assert error.status is not grpc.StatusCode.DEADLINE_EXCEEDED
        server.release.set()
        assert await waiting == b"abc"


@pytest.mark.parametrize("status", [each for each in grpc.StatusCode if each.value[0]])
async def test_error_may_have_every_status(server: Server, status: grpc.StatusCode) -> None:
    async with open_channel(server.address) as channel:
        error = await refused(channel, "Abort", f"{status.name} x".encode())
        assert (error.status, error.message) == (status, "x")


async def test_unknown_method_is_unimplemented(server: Server) -> None:
    async with open_channel(server.address) as channel:
        error = await refused(channel, "NoSuch")
        assert error.status is grpc.StatusCode.UNIMPLEMENTED


async def test_server_is_told_the_metadata(server: Server) -> None:
    async with open_channel(server.address) as channel:
        await channel.call(
            "/test.Service/Echo",
            [b""],
            timeout_s=PATIENCE_S,
            metadata=[("x-request-id", "r-1"), ("traceparent", "0" * 300)],
        )
    assert server.metadata == {
        "x-request-id": "r-1",
        "traceparent": "0" * 300,
        "user-agent": "diptych-gateway",
    }


@pytest.mark.parametrize("timeout_s", [60.0, 99.9, 600.0, 200_000.0])
async def test_server_is_told_the_deadline(server: Server, timeout_s: float) -> None:
    async with open_channel(server.address) as channel:
        await ask(channel, "Echo", timeout_s=timeout_s)
    assert timeout_s - 30 < server.remaining_s <= timeout_s + 1


async def test_call_past_its_deadline_is_cancelled_at_the_server(server: Server) -> None:
    async with open_channel(server.address) as channel:
        await ask(channel, "Echo")
        error = await refused(channel, "Wait", timeout_s=0.2)
        assert error.status is grpc.StatusCode.DEADLINE_EXCEEDED
        await eventually(lambda: server.running == 0)


async def test_call_that_is_cancelled_is_cancelled_at_the_server(server: Server) -> None:
    async with open_channel(server.address) as channel:
        call = asyncio.create_task(ask(channel, "Wait"))
        await eventually(lambda: server.running == 1)
        call.cancel()
        await eventually(lambda: server.cancelled == 1)
        assert await ask(channel, "Echo", b"abc") == b"abc"


async def test_server_that_was_restarted_is_found_again(server: Server) -> None:
    async with open_channel(server.address) as channel:
        assert await ask(channel, "Echo", b"abc") == b"abc"
        await server.stop()
        error = await refused(channel, "Echo")
        assert error.status is grpc.StatusCode.UNAVAILABLE
        await server.start()
        async with asyncio.timeout(PATIENCE_S):
            while not await is_answered(channel):  # noqa: ASYNC110 - the wait ends by the clock
                await asyncio.sleep(0.02)


async def test_server_that_stops_with_grace_answers_what_runs(server: Server) -> None:
    async with open_channel(server.address) as channel:
        call = asyncio.create_task(ask(channel, "Wait", b"abc"))
        await eventually(lambda: server.running == 1)
        stopping = asyncio.create_task(server.stop(PATIENCE_S))
        connection = channel._connection
        assert connection is not None
        await eventually(lambda: not connection.is_open)
        assert not call.done()
        assert (await refused(channel, "Echo")).status is grpc.StatusCode.UNAVAILABLE
        server.release.set()
        assert await call == b"abc"
        await stopping


async def test_server_that_stops_without_grace_fails_what_runs(server: Server) -> None:
    async with open_channel(server.address) as channel:
        call = asyncio.create_task(ask(channel, "Wait", b"abc"))
        await eventually(lambda: server.running == 1)
        await server.stop()
        with pytest.raises(RpcError) as caught:
            await call
        assert caught.value.status in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


@pytest.mark.parametrize("limit_bytes", [100, 100_000])
async def test_answer_at_the_limit_is_returned(server: Server, limit_bytes: int) -> None:
    async with open_channel(server.address, max_received_bytes=limit_bytes) as channel:
        answer = await ask(channel, "Many", b"%d" % limit_bytes)
        assert len(answer) == limit_bytes


@pytest.mark.parametrize("excess_bytes", [1, 1_000_000])
async def test_answer_beyond_the_limit_is_resource_exhausted(
    server: Server, excess_bytes: int
) -> None:
    limit_bytes = 100_000
    async with open_channel(server.address, max_received_bytes=limit_bytes) as channel:
        error = await refused(channel, "Many", b"%d" % (limit_bytes + excess_bytes), timeout_s=0.5)
        assert error.status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await ask(channel, "Echo", b"abc") == b"abc"
