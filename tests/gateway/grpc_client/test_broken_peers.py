"""Servers that break the rules of HTTP/2, or do not speak it at all."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc
import hpack
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.grpc_client import frames
from gateway.grpc_client.errors import ErrorCode, RpcError
from gateway.grpc_client.headers import MAX_READ_BYTES
from tests.gateway.grpc_client.h2_peer import OK_HEADERS
from tests.gateway.grpc_client.listening import PATIENCE_S, open_channel, send
from tests.gateway.grpc_client.raw_peer import RawPeer, frame_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio

BLOCK = hpack.Encoder().encode(OK_HEADERS)
# One field of 4000 bytes for the table, and then the number that it has there.
BOMB = b"\x40\x01a\x7f\xa1\x1e" + b"v" * 4000 + b"\xbe" * (MAX_READ_BYTES // 4000)
PROTOCOL = ErrorCode.PROTOCOL_ERROR
SIZE = ErrorCode.FRAME_SIZE_ERROR
FLOW = ErrorCode.FLOW_CONTROL_ERROR
COMPRESSION = ErrorCode.COMPRESSION_ERROR


def setting(name: int, value: int) -> bytes:
    return frame_bytes(frames.SETTINGS, 0, 0, struct.pack(">HI", name, value))


BROKEN: dict[str, tuple[ErrorCode, Sequence[Frame | bytes]]] = {
    "a push": (PROTOCOL, [PushPromiseFrame(1, 2, BLOCK, flags=["END_HEADERS"])]),
    "a large frame": (SIZE, [frame_bytes(frames.DATA, 0, 1, bytes(16_385))]),
    "a large frame of an unknown type": (SIZE, [frame_bytes(0xBE, 0, 0, bytes(16_385))]),
    "HTTP/1.1": (SIZE, [b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"]),
    "data on the connection": (PROTOCOL, [frame_bytes(frames.DATA, 0, 0, b"a")]),
    "data on a stream of the server": (PROTOCOL, [DataFrame(2, b"a")]),
    "data on a stream of later": (PROTOCOL, [DataFrame(3, b"a")]),
    "data with too much padding": (PROTOCOL, [frame_bytes(frames.DATA, 8, 1, b"\x05abcd")]),
    "data with padding of no length": (SIZE, [frame_bytes(frames.DATA, 8, 1, b"")]),
    "headers on the connection": (PROTOCOL, [frame_bytes(frames.HEADERS, 4, 0, BLOCK)]),
    "headers on a stream of later": (PROTOCOL, [HeadersFrame(3, BLOCK, flags=["END_HEADERS"])]),
    "headers that are no HPACK": (
        COMPRESSION,
        [HeadersFrame(1, b"\xff\xff\xff\xff", flags=["END_HEADERS"])],
    ),
    "headers that are long when they are read": (
        COMPRESSION,
        [HeadersFrame(1, BOMB, flags=["END_HEADERS"])],
    ),
    "headers with too much padding": (PROTOCOL, [frame_bytes(frames.HEADERS, 12, 1, b"\x09abc")]),
    "headers shorter than their priority": (PROTOCOL, [frame_bytes(frames.HEADERS, 36, 1, b"abc")]),
    "headers interrupted by a ping": (PROTOCOL, [HeadersFrame(1, BLOCK), PingFrame(0)]),
    "headers interrupted by an unknown frame": (
        PROTOCOL,
        [HeadersFrame(1, BLOCK), frame_bytes(0xBE, 0, 1, b"")],
    ),
    "headers continued on another stream": (
        PROTOCOL,
        [HeadersFrame(1, BLOCK), ContinuationFrame(3, b"", flags=["END_HEADERS"])],
    ),
    "headers continued without end": (
        ErrorCode.ENHANCE_YOUR_CALM,
        [HeadersFrame(1, BLOCK), *[ContinuationFrame(1, bytes(16_384))] * 16],
    ),
    "a continuation of nothing": (PROTOCOL, [ContinuationFrame(1, BLOCK, flags=["END_HEADERS"])]),
    "a reset of the connection": (PROTOCOL, [frame_bytes(frames.RST_STREAM, 0, 0, bytes(4))]),
    "a reset of a stream of later": (PROTOCOL, [RstStreamFrame(3, 8)]),
    "a short reset": (SIZE, [frame_bytes(frames.RST_STREAM, 0, 1, b"abc")]),
    "settings of a stream": (PROTOCOL, [frame_bytes(frames.SETTINGS, 0, 1, b"")]),
    "settings cut short": (SIZE, [frame_bytes(frames.SETTINGS, 0, 0, b"abcde")]),
    "confirmed settings with values": (SIZE, [frame_bytes(frames.SETTINGS, 1, 0, bytes(6))]),
    "a window too large": (FLOW, [setting(frames.INITIAL_WINDOW_SIZE, 2**31)]),
    "frames too small": (PROTOCOL, [setting(frames.MAX_FRAME_SIZE, 16_383)]),
    "frames too large": (PROTOCOL, [setting(frames.MAX_FRAME_SIZE, 2**24)]),
    "a ping of a stream": (PROTOCOL, [frame_bytes(frames.PING, 0, 1, bytes(8))]),
    "a ping cut short": (SIZE, [frame_bytes(frames.PING, 0, 0, bytes(7))]),
    "a goaway of a stream": (PROTOCOL, [frame_bytes(frames.GOAWAY, 0, 1, bytes(8))]),
    "a goaway cut short": (SIZE, [frame_bytes(frames.GOAWAY, 0, 0, bytes(7))]),
    "more credit than there is": (FLOW, [WindowUpdateFrame(0, 2**31 - 1)]),
    "credit cut short": (SIZE, [frame_bytes(frames.WINDOW_UPDATE, 0, 0, b"abc")]),
    "credit for a stream of later": (PROTOCOL, [WindowUpdateFrame(3, 1)]),
}


async def assert_ends_connection(
    code: ErrorCode, sent: Sequence[Frame | bytes], *, timeout_s: float = PATIENCE_S
) -> None:
    """The peer is told, the call fails, and the next is made on a new connection."""
    async with RawPeer() as peer, open_channel(peer.address) as channel:
        call = asyncio.create_task(send(channel, b"abc", timeout_s=timeout_s))
        there = await peer.connection()
        await there.received(DataFrame)
        there.write(*sent)
        with pytest.raises(RpcError) as caught:
            await call
        assert caught.value.status is grpc.StatusCode.UNAVAILABLE
        assert "broke HTTP/2" in caught.value.message
        goaway = await there.received(GoAwayFrame)
        assert (goaway.last_stream_id, goaway.error_code) == (0, code)
        await there.closed()
        call = asyncio.create_task(send(channel, b"abc"))
        next_one = await peer.connection(1)
        await next_one.received(DataFrame)
        next_one.answer(1, b"next")
        assert await call == b"next"


@pytest.mark.parametrize(("code", "sent"), BROKEN.values(), ids=BROKEN)
async def test_peer_that_breaks_the_rules_is_told_and_left(
    code: ErrorCode, sent: Sequence[Frame | bytes]
) -> None:
    await assert_ends_connection(code, sent)


async def test_peer_that_gives_no_credit_is_told_and_left() -> None:
    await assert_ends_connection(PROTOCOL, [frame_bytes(frames.WINDOW_UPDATE, 0, 0, bytes(4))])


async def test_peer_that_raises_a_window_beyond_its_range_is_told_and_left() -> None:
    nearly_all = WindowUpdateFrame(1, 2**31 - 1 - 65_535)
    more = setting(frames.INITIAL_WINDOW_SIZE, 70_000)
    await assert_ends_connection(FLOW, [nearly_all, more], timeout_s=0.5)


@pytest.mark.parametrize("increment", [0, 2**31 - 1])
async def test_peer_with_a_wrong_window_of_a_stream_ends_that_stream_alone(increment: int) -> None:
    update = frame_bytes(frames.WINDOW_UPDATE, 0, 1, struct.pack(">I", increment))
    async with RawPeer() as peer, open_channel(peer.address) as channel:
        call = asyncio.create_task(send(channel, b"abc"))
        there = await peer.connection()
        await there.received(DataFrame)
        there.write(update)
        with pytest.raises(RpcError) as caught:
            await call
        assert caught.value.status is grpc.StatusCode.INTERNAL
        reset = await there.received(RstStreamFrame)
        assert reset.stream_id == 1
        call = asyncio.create_task(send(channel, b"abc"))
        await there.received(HeadersFrame, nth=1)
        there.answer(3, b"next")
        assert await call == b"next"


async def test_peer_that_breaks_the_rules_fails_calls_that_wait() -> None:
    opening = setting(frames.MAX_CONCURRENT_STREAMS, 1)
    async with RawPeer(opening) as peer, open_channel(peer.address) as channel:
        calls = [asyncio.create_task(send(channel)) for _ in range(3)]
        there = await peer.connection()
        await there.received(DataFrame)
        there.write(*BROKEN["a push"][1])
        for call in calls:
            with pytest.raises(RpcError) as caught:
                await call
            assert caught.value.status is grpc.StatusCode.UNAVAILABLE
        assert len([each for each in there.frames if isinstance(each, HeadersFrame)]) == 1


async def test_peer_of_http_1_1_is_unavailable_and_named() -> None:
    async with (
        RawPeer(b"HTTP/1.1 400 Bad Request\r\n\r\n") as peer,
        open_channel(peer.address) as channel,
    ):
        with pytest.raises(RpcError) as caught:
            await send(channel)
        assert caught.value.status is grpc.StatusCode.UNAVAILABLE
        assert "broke HTTP/2" in caught.value.message


# --- any bytes ---------------------------------------------------------------------------------

ANY_FRAME = st.builds(
    frame_bytes,
    kind=st.integers(0, 10),
    flags=st.integers(0, 255),
    stream_id=st.integers(0, 3),
    payload=st.binary(max_size=20)
    | st.sampled_from([BLOCK, bytes(4), bytes(8), b"\0\0\0\0\1a", b"\0\4\0\1\0\0"]),
)
ANY_BYTES = st.lists(ANY_FRAME | st.binary(max_size=30), max_size=6).map(b"".join)


@settings(max_examples=60)
@given(opening=st.just(SettingsFrame(0).serialize()) | ANY_BYTES, sent=ANY_BYTES)
@example(opening=b"", sent=b"")
async def test_any_bytes_of_a_server_end_in_an_rpc_error(opening: bytes, sent: bytes) -> None:
    loop = asyncio.get_running_loop()
    unhandled: list[dict[str, Any]] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    try:
        async with (
            RawPeer(opening, to_requests=sent) as peer,
            open_channel(peer.address) as channel,
            asyncio.timeout(PATIENCE_S),
        ):
            with suppress(RpcError):
                await send(channel, b"abc", timeout_s=0.03)
    finally:
        loop.set_exception_handler(before)
    assert unhandled == []
