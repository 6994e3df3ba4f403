"""Frames of HTTP/2 (RFC 9113, sections 4 and 6): cut out of what was received, and written."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.grpc_client.errors import ErrorCode, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA: Final = 0x0
HEADERS: Final = 0x1
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY: Final = 0x20

ENABLE_PUSH: Final = 0x2
MAX_CONCURRENT_STREAMS: Final = 0x3
INITIAL_WINDOW_SIZE: Final = 0x4
MAX_FRAME_SIZE: Final = 0x5
MAX_HEADER_LIST_SIZE: Final = 0x6

DEFAULT_WINDOW: Final = 65_535
MAX_WINDOW: Final = 2**31 - 1
MAX_STREAM_ID: Final = 2**31 - 1
DEFAULT_FRAME_BYTES: Final = 16_384
"""Largest payload, where nothing else was agreed; what is received here is held to it."""
MAX_FRAME_BYTES: Final = 2**24 - 1

_HEAD_BYTES: Final = 9
_HEAD: Final = struct.Struct(">HBBBI")  # length in 16 and 8 bits, type, flags, stream
_SETTING: Final = struct.Struct(">HI")
_NUMBER: Final = struct.Struct(">I")
_PRIORITY_BYTES: Final = 5


class Frame(NamedTuple):
    """One frame.

    Attributes:
        kind: its type.
        flags: what they mean depends on the type.
        stream_id: 0 is the connection.
        payload: as it came, with padding.
    """

    kind: int
    flags: int
    stream_id: int
    payload: bytes


class FrameReader:
    """Cuts frames out of what a connection receives, however it was cut on the way."""

    def __init__(self) -> None:
        self._rest = b""

    def read(self, received: bytes) -> Iterator[Frame]:
        """Yields the frames that are complete now; must be read to the end.

        Raises:
            ProtocolError: a frame is larger than was agreed.
        """
        data = self._rest + received if self._rest else received
        start, end = 0, len(data)
        self._rest = b""
        while end - start >= _HEAD_BYTES:
            high, low, kind, flags, stream_id = _HEAD.unpack_from(data, start)
            size = high << 8 | low
            if size > DEFAULT_FRAME_BYTES:
                raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            if end - start < _HEAD_BYTES + size:
                break
            start += _HEAD_BYTES + size
            yield Frame(kind, flags, stream_id & MAX_STREAM_ID, data[start - size : start])
        self._rest = data[start:]


def head(size: int, kind: int, flags: int, stream_id: int) -> bytes:
    """Writes what stands before a payload of `size` bytes."""
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream_id)


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    """Writes a frame of settings."""
    payload = b"".join(_SETTING.pack(*each) for each in values)
    return head(len(payload), SETTINGS, 0, 0) + payload


def settings_ack() -> bytes:
    """Writes that the peer's settings are in force."""
    return head(0, SETTINGS, ACK, 0)


def window_update(increment: int) -> bytes:
    """Writes that the peer may send so many bytes more on this connection."""
    return head(_NUMBER.size, WINDOW_UPDATE, 0, 0) + _NUMBER.pack(increment)


def reset(stream_id: int, code: ErrorCode) -> bytes:
    """Writes the end of a stream."""
    return head(_NUMBER.size, RST_STREAM, 0, stream_id) + _NUMBER.pack(code)


def ping(payload: bytes, *, is_ack: bool) -> bytes:
    """Writes a ping of eight bytes, or the answer to one."""
    return head(len(payload), PING, ACK if is_ack else 0, 0) + payload


def goaway(code: ErrorCode) -> bytes:
    """Writes that this side ends the connection; of the peer's streams it has taken none."""
    return head(2 * _NUMBER.size, GOAWAY, 0, 0) + _NUMBER.pack(0) + _NUMBER.pack(code)


def content(frame: Frame) -> bytes:
    """Returns the payload of DATA or HEADERS without padding and priority."""
    payload, flags = frame.payload, frame.flags
    if not flags & (PADDED | PRIORITY):
        return payload
    start, end = 0, len(payload)
    if flags & PADDED:
        if not payload:
            raise _wrong_size(frame)
        start, end = 1, end - payload[0]
    if flags & PRIORITY and frame.kind == HEADERS:
        start += _PRIORITY_BYTES
    if start > end:
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "padding longer than its frame")
    return payload[start:end]


def number(frame: Frame) -> int:
    """Returns the only number of RST_STREAM or WINDOW_UPDATE, of 32 bits."""
    if len(frame.payload) != _NUMBER.size:
        raise _wrong_size(frame)
    return int(_NUMBER.unpack(frame.payload)[0])


def last_stream(frame: Frame) -> tuple[int, int]:
    """Returns of GOAWAY the last stream that the peer has taken, and the error code."""
    if len(frame.payload) < 2 * _NUMBER.size:
        raise _wrong_size(frame)
    last, code = struct.unpack_from(">II", frame.payload)
    return last & MAX_STREAM_ID, code


def values(frame: Frame) -> list[tuple[int, int]]:
    """Returns what a frame of settings says, in order."""
    is_ack = frame.flags & ACK
    if len(frame.payload) % _SETTING.size or (is_ack and frame.payload):
        raise _wrong_size(frame)
    return list(_SETTING.iter_unpack(frame.payload))


def opaque(frame: Frame) -> bytes:
    """Returns the eight bytes of a ping."""
    if len(frame.payload) != 8:
        raise _wrong_size(frame)
    return frame.payload


def _wrong_size(frame: Frame) -> ProtocolError:
    return ProtocolError(
        ErrorCode.FRAME_SIZE_ERROR, f"{len(frame.payload)} bytes in a frame of type {frame.kind}"
    )
