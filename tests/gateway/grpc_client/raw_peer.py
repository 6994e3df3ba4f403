"""A server that writes whatever bytes a test wants, and reads frames with hyperframe."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeVar

import hpack
from hyperframe.frame import (
    DataFrame,
    Frame,
    HeadersFrame,
    SettingsFrame,
)

from tests.gateway.grpc_client.h2_peer import OK_HEADERS, OK_TRAILERS
from tests.gateway.grpc_client.listening import Listener, News

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD_BYTES = 9
_Kind = TypeVar("_Kind", bound=Frame)


def prefixed(message: bytes) -> bytes:
    """As gRPC puts a message on a stream."""
    return struct.pack(">BI", 0, len(message)) + message


def frame_bytes(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """Writes a frame whatever is wrong with it."""
    size = len(payload)
    return struct.pack(">BHBBI", size >> 16, size & 0xFFFF, kind, flags, stream_id) + payload


class RawConnection:
    """A connection as the server sees it.

    Attributes:
        frames: all that the client has sent.
        is_closed: by the client.
    """

    def __init__(self, news: News, writer: asyncio.StreamWriter) -> None:
        self._news = news
        self._writer = writer
        self._encoder = hpack.Encoder()
        self.frames: list[Frame] = []
        self.is_closed = False

    def write(self, *pieces: Frame | bytes) -> None:
        self._writer.write(
            b"".join(each if isinstance(each, bytes) else each.serialize() for each in pieces)
        )

    def block(self, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Encodes them; must be sent in this order."""
        return self._encoder.encode(fields)

    def headers(
        self, stream_id: int, fields: Sequence[tuple[bytes, bytes]], *, is_end: bool = False
    ) -> HeadersFrame:
        flags = ["END_HEADERS", "END_STREAM"] if is_end else ["END_HEADERS"]
        return HeadersFrame(stream_id, data=self.block(fields), flags=flags)

    def answer(self, stream_id: int, message: bytes) -> None:
        """Writes all of an answer."""
        self.write(
            self.headers(stream_id, OK_HEADERS),
            DataFrame(stream_id, prefixed(message)),
            self.headers(stream_id, OK_TRAILERS, is_end=True),
        )

    async def received(self, kind: type[_Kind], *, nth: int = 0) -> _Kind:
        """Waits for a frame of the client."""

        def such() -> list[_Kind]:
            return [each for each in self.frames if isinstance(each, kind)]

        await self._news.until(lambda: len(such()) > nth)
        return such()[nth]

    async def closed(self) -> None:
        await self._news.until(lambda: self.is_closed)


class RawPeer(Listener):
    """The server.

    Args:
        opening: is written on every connection; by default settings without values.
        to_requests: is written on every connection whenever data came.

    Attributes:
        connections: all that were ever made.
    """

    def __init__(self, opening: bytes | None = None, *, to_requests: bytes = b"") -> None:
        super().__init__()
        self._to_requests = to_requests
        self._opening = SettingsFrame(0).serialize() if opening is None else opening
        self.connections: list[RawConnection] = []

    async def connection(self, nth: int = 0) -> RawConnection:
        await self.news.until(lambda: len(self.connections) > nth)
        return self.connections[nth]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = RawConnection(self.news, writer)
        writer.write(self._opening)
        self.connections.append(connection)
        self.news.tell()
        rest = b""
        try:
            while received := await reader.read(256 * 1024):
                heard = len(connection.frames)
                rest = _read(rest + received, connection.frames)
                if any(isinstance(each, DataFrame) for each in connection.frames[heard:]):
                    writer.write(self._to_requests)
                self.news.tell()
        finally:
            connection.is_closed = True
            self.news.tell()


def _read(data: bytes, frames: list[Frame]) -> bytes:
    """Appends what is complete; returns the rest."""
    if not frames and data.startswith(_PREFACE[: len(data)]):
        if len(data) < len(_PREFACE):
            return data
        data = data[len(_PREFACE) :]
    while len(data) >= _HEAD_BYTES:
        frame, size = Frame.parse_frame_header(memoryview(data[:_HEAD_BYTES]))
        if len(data) < _HEAD_BYTES + size:
            break
        frame.parse_body(memoryview(data[_HEAD_BYTES : _HEAD_BYTES + size]))
        frames.append(frame)
        data = data[_HEAD_BYTES + size :]
    return data
