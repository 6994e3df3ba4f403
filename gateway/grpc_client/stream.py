"""One unary call on a connection: what is still to be sent of it, and what came back."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import grpc

from gateway.grpc_client.errors import RpcError
from gateway.grpc_client.headers import check_response, check_trailers

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping

PREFIX: Final = struct.Struct(">BI")
"""Before a message: whether it is compressed, and its length."""
_INTERIM: Final = b"1"  # first digit of 100 to 199


class Stream:
    """The call.

    Args:
        answer: gets the message that comes back, or an `RpcError`.
        head: header block of the request.
        message: encoded, in pieces.
        max_received_bytes: of the message that comes back.

    Attributes:
        stream_id: 0 until it has a place on the connection.
        unsent: of the request, message and prefix.
        window: bytes that the peer still takes on this stream.
    """

    __slots__ = (
        "_has_headers",
        "_max_received_bytes",
        "_received",
        "_received_bytes",
        "answer",
        "head",
        "stream_id",
        "unsent",
        "window",
    )

    def __init__(
        self,
        answer: asyncio.Future[bytes],
        head: bytes,
        message: Iterable[bytes],
        max_received_bytes: int,
    ) -> None:
        self.stream_id = 0
        self.answer = answer
        self.head = head
        self.unsent = _prefixed(message)
        self.window = 0
        self._max_received_bytes = max_received_bytes + PREFIX.size
        self._received: list[bytes] = []
        self._received_bytes = 0
        self._has_headers = False

    def take_headers(self, fields: Mapping[bytes, bytes], *, is_end: bool) -> bool:
        """Hears headers, or trailers; returns whether the call is over."""
        try:
            self._take_headers(fields, is_end=is_end)
        except RpcError as error:
            self.fail(error)
            return True
        return is_end

    def take_data(self, data: bytes, *, is_end: bool) -> bool:
        """Hears a piece of the message; returns whether the call is over."""
        self._received_bytes += len(data)
        self._received.append(data)
        if not self._has_headers:
            error = RpcError(grpc.StatusCode.INTERNAL, "an answer that begins without headers")
        elif self._received_bytes > self._max_received_bytes:
            limit = self._max_received_bytes - PREFIX.size
            error = RpcError(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"an answer of more than {limit} bytes"
            )
        elif is_end:
            error = RpcError(grpc.StatusCode.INTERNAL, "an answer without trailers")
        else:
            return False
        self.fail(error)
        return True

    def _take_headers(self, fields: Mapping[bytes, bytes], *, is_end: bool) -> None:
        if not self._has_headers:
            if not is_end and fields.get(b":status", b"").startswith(_INTERIM):
                return
            check_response(fields)
            self._has_headers = True
        elif not is_end:
            raise RpcError(grpc.StatusCode.INTERNAL, "headers in the middle of an answer")
        if is_end:
            check_trailers(fields)
            self._finish()

    def fail(self, error: RpcError) -> None:
        """Ends the call, unless it has ended."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def _finish(self) -> None:
        received = b"".join(self._received)
        size = len(received) - PREFIX.size
        if size < 0 or PREFIX.unpack_from(received) != (0, size):
            raise RpcError(grpc.StatusCode.INTERNAL, "an answer that is not one plain message")
        if not self.answer.done():
            self.answer.set_result(received[PREFIX.size :])


def _prefixed(message: Iterable[bytes]) -> memoryview:
    pieces = [b"", *message]
    pieces[0] = PREFIX.pack(0, sum(map(len, pieces)))
    return memoryview(b"".join(pieces))
