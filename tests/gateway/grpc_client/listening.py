"""What the two kinds of peer have in common: a port, connections, and news of what they hear."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Self

from gateway.grpc_client.channel import Channel
from gateway.grpc_client.connection import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from types import TracebackType

PATH = "/test.Service/Method"
LIMIT_BYTES = 4 * 1024 * 1024
PATIENCE_S = 30.0  # what takes so long does not happen any more


class News:
    """Wakes those who wait for something whenever anything has changed."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def tell(self) -> None:
        self._next.set()
        self._next = asyncio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await self._next.wait()


class Listener:
    """A server on loopback for the time of a block; what fails in it fails the block.

    Args:
        port: 0: any that is free.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.news = News()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        failures = [
            each
            for each in outcomes
            if isinstance(each, BaseException) and not isinstance(each, asyncio.CancelledError)
        ]
        if failures and error is None:
            raise failures[0]
        if failures and error is not None:
            error.add_note(f"the peer failed: {failures[0]!r}")

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.spawn(self._serve(reader, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                await self.serve(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def open_channel(
    address: str,
    *,
    max_sent_bytes: int = LIMIT_BYTES,
    max_received_bytes: int = LIMIT_BYTES,
) -> AsyncIterator[Channel]:
    channel = Channel(address, max_sent_bytes=max_sent_bytes, max_received_bytes=max_received_bytes)
    try:
        yield channel
    finally:
        await channel.close()


async def send(channel: Channel, message: bytes = b"", *, timeout_s: float = PATIENCE_S) -> bytes:
    """Calls a method that is always the same, with a message in two pieces."""
    half = len(message) // 2
    return await channel.call(PATH, [message[:half], message[half:]], timeout_s=timeout_s)


@asynccontextmanager
async def open_connection(port: int, *, keepalive_s: float = 10.0) -> AsyncIterator[Connection]:
    """A connection that is ready, without a channel around it."""
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(max_received_bytes=LIMIT_BYTES, keepalive_s=keepalive_s),
        "127.0.0.1",
        port,
    )
    try:
        await connection.ready
        yield connection
    finally:
        connection.close("the test is over")
