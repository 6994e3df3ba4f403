"""Unary calls to one server, over one connection that is made when it is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Final

import grpc

from gateway.grpc_client.connection import Connection
from gateway.grpc_client.errors import RpcError
from gateway.grpc_client.expiry import Expiry, spent
from gateway.grpc_client.headers import write_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CONNECT_TIMEOUT_S: Final = 1.0
# A restarted server is to be found again within a second; gRPC's own library waits up to 120.
_FIRST_BACKOFF_S: Final = 0.1
_MAX_BACKOFF_S: Final = 1.0
_BACKOFF_GROWTH: Final = 1.6
_BACKOFF_JITTER: Final = 0.2  # either way


class Channel:
    """Calls one server. Must be made inside the event loop.

    A connection that is lost is made anew by the next call. While none can be had, calls fail at
    once, and it is tried again after 0.1 s at first and after 1 s at most.

    Args:
        address: `host:port`.
        max_sent_bytes: of a message.
        max_received_bytes: of a message that comes back.
    """

    def __init__(self, address: str, *, max_sent_bytes: int, max_received_bytes: int) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._authority = address
        self._max_sent_bytes = max_sent_bytes
        self._max_received_bytes = max_received_bytes
        self._loop = asyncio.get_running_loop()
        self._expiry = Expiry(self._loop)
        self._connection: Connection | None = None
        self._left: list[Connection] = []  # on which calls go on, but none begins
        self._connecting: asyncio.Task[None] | None = None
        self._is_closed = False
        self._backoff_s = _FIRST_BACKOFF_S
        self._next_try_s = float("-inf")
        self._failure = ""

    async def call(
        self,
        path: str,
        message: Sequence[bytes],
        *,
        timeout_s: float,
        metadata: Iterable[tuple[str, str]] = (),
    ) -> bytes:
        """Sends a message and returns the one that comes back. Cancelled, it cancels the call.

        Args:
            path: `/package.Service/Method`.
            message: encoded, in pieces.
            timeout_s: for all of it; the server is told.
            metadata: names in lower case and values, both ASCII.

        Raises:
            RpcError: it did not end with OK.
        """
        if timeout_s <= 0:
            raise spent()
        if (size := sum(map(len, message))) > self._max_sent_bytes:
            raise RpcError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"a message of {size} bytes, above {self._max_sent_bytes}",
            )
        due_s = self._loop.time() + timeout_s
        connection = self._connection
        if connection is None or not connection.is_open:
            connection = await self._connected(due_s)
            timeout_s = max(0.0, due_s - self._loop.time())
        head = write_request(self._authority, path, timeout_s, metadata)
        stream = connection.begin(head, message)
        self._expiry.watch(stream, due_s)
        try:
            return await stream.answer
        finally:
            self._expiry.forget(stream)
            connection.end(stream)

    async def close(self) -> None:
        """Ends the connection; calls in flight fail as UNAVAILABLE."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._connecting
        for each in (self._connection, *self._left):
            if each is not None:
                each.close("the channel is closed")
        self._expiry.close()

    async def _connected(self, due_s: float) -> Connection:
        if self._connecting is None:
            if self._is_closed or self._loop.time() < self._next_try_s:
                raise self._unavailable()
            self._connecting = self._loop.create_task(self._connect())
        # All that wait, wait for one try, which goes on when one of them gives up.
        done, _ = await asyncio.wait({self._connecting}, timeout=due_s - self._loop.time())
        if not done:
            raise spent()
        if self._connection is None or not self._connection.is_open:
            raise self._unavailable()
        return self._connection

    async def _connect(self) -> None:
        connection: Connection | None = None
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(max_received_bytes=self._max_received_bytes),
                    self._host,
                    self._port,
                )
                await connection.ready
        except (OSError, UnicodeError, RpcError) as error:  # TimeoutError is an OSError
            self._note_failure(str(error) or type(error).__name__)
        else:
            if self._connection is not None:
                self._left.append(self._connection)
            self._left = [each for each in self._left if not each.is_over]
            self._connection, connection = connection, None
            self._failure = "the peer has ended it"
            self._backoff_s = _FIRST_BACKOFF_S
        finally:
            if connection is not None:
                connection.close("it was not ready in time")
            self._connecting = None

    def _note_failure(self, failure: str) -> None:
        self._failure = failure
        jitter = random.uniform(1 - _BACKOFF_JITTER, 1 + _BACKOFF_JITTER)  # noqa: S311
        self._next_try_s = self._loop.time() + self._backoff_s * jitter
        self._backoff_s = min(self._backoff_s * _BACKOFF_GROWTH, _MAX_BACKOFF_S)

    def _unavailable(self) -> RpcError:
        why = "the channel is closed" if self._is_closed else f"no connection: {self._failure}"
        return RpcError(grpc.StatusCode.UNAVAILABLE, why)
