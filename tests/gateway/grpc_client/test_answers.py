"""What comes back on one stream, and what the call makes of it."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import grpc
import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hyperframe.frame import (
    AltSvcFrame,
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PriorityFrame,
    RstStreamFrame,
    WindowUpdateFrame,
)

from gateway.grpc_client.errors import ErrorCode, RpcError
from tests.gateway.grpc_client.h2_peer import (
    OK_HEADERS,
    OK_TRAILERS,
    Answer,
    Fields,
    H2Peer,
    PeerCall,
    send_ok,
)
from tests.gateway.grpc_client.listening import LIMIT_BYTES, open_channel, send
from tests.gateway.grpc_client.raw_peer import RawConnection, RawPeer, frame_bytes, prefixed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.grpc_client.channel import Channel

pytestmark = pytest.mark.anyio


async def answered(
    answer: Answer, message: bytes = b"", *, max_received_bytes: int = LIMIT_BYTES
) -> bytes:
    """Returns what a call makes of an answer."""
    async with (
        H2Peer(answer) as peer,
        open_channel(peer.address, max_received_bytes=max_received_bytes) as channel,
    ):
        return await send(channel, message)


async def refused(answer: Answer, *, max_received_bytes: int = LIMIT_BYTES) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await answered(answer, max_received_bytes=max_received_bytes)
    return caught.value


async def send_whole(
    call: PeerCall,
    headers: Fields = OK_HEADERS,
    content: bytes | None = prefixed(b"abc"),
    trailers: Fields | None = OK_TRAILERS,
) -> None:
    """Answers with these parts, some of which may not be there."""
    await call.until_ended()
    if trailers is None and content is None:
        call.send_headers(headers, is_end=True)
        return
    call.send_headers(headers)
    if content is not None:
        await call.send_data(content, is_end=trailers is None)
    if trailers is not None:
        call.send_headers(trailers, is_end=True)


async def test_answer_is_the_message_without_its_prefix() -> None:
    assert await answered(send_whole) == b"abc"


async def test_answer_in_pieces_is_put_together() -> None:
    async def answer(call: PeerCall) -> None:
        await call.until_ended()
        call.send_headers(OK_HEADERS)
        for byte in prefixed(b"abcdef"):
            await call.send_data(bytes([byte]))
        await call.send_data(b"")
        call.send_headers(OK_TRAILERS, is_end=True)

    assert await answered(answer) == b"abcdef"


@pytest.mark.parametrize("pad_bytes", [0, 1, 255])
async def test_answer_that_is_padded_is_read_without(pad_bytes: int) -> None:
    async def answer(call: PeerCall) -> None:
        await call.until_ended()
        call.send_headers(OK_HEADERS)
        await call.send_data(prefixed(b"a" * 40_000), pad_bytes=pad_bytes)
        call.send_headers(OK_TRAILERS, is_end=True)

    assert await answered(answer) == b"a" * 40_000


async def test_answer_after_informational_headers_is_read() -> None:
    async def answer(call: PeerCall) -> None:
        await call.until_ended()
        call.send_headers([(b":status", b"100")])
        call.send_headers([(b":status", b"103"), (b"link", b"</a>")])
        await send_ok(call, prefixed(b"abc"))

    assert await answered(answer) == b"abc"


async def test_answer_as_large_as_allowed_is_returned() -> None:
    answer = partial(send_whole, content=prefixed(bytes(100_000)))
    assert await answered(answer, max_received_bytes=100_000) == bytes(100_000)


async def test_answer_before_the_request_is_sent_ends_the_call() -> None:
    async def answer(call: PeerCall) -> None:
        await call.until(lambda: len(call.received) == 10)
        await send_ok(call, prefixed(b"enough"))
        await call.until(lambda: call.reset_code is not None)

    settings = {SettingCodes.INITIAL_WINDOW_SIZE: 10}
    async with (
        H2Peer(answer, settings=settings, gives_credit=False) as peer,
        open_channel(peer.address) as channel,
    ):
        assert await send(channel, bytes(100_000)) == b"enough"
        (call,) = peer.calls
        await call.until(lambda: call.reset_code is not None)
        assert call.reset_code == ErrorCode.CANCEL
        assert len(call.received) == 10


@pytest.mark.parametrize("status", [each for each in grpc.StatusCode if each.value[0]])
async def test_trailers_alone_are_the_error(status: grpc.StatusCode) -> None:
    code: int = status.value[0]
    fields = [*OK_HEADERS, (b"grpc-status", b"%d" % code), (b"grpc-message", b"Gr%C3%BC%C3%9Fe")]
    error = await refused(partial(send_whole, headers=fields, content=None, trailers=None))
    assert (error.status, error.message) == (status, "Grüße")


async def test_error_after_a_message_is_the_error() -> None:
    trailers = [(b"grpc-status", b"9"), (b"grpc-message", b"late")]
    error = await refused(partial(send_whole, trailers=trailers))
    assert (error.status, error.message) == (grpc.StatusCode.FAILED_PRECONDITION, "late")


@pytest.mark.parametrize(
    ("http", "status"),
    [
        (b"404", grpc.StatusCode.UNIMPLEMENTED),
        (b"503", grpc.StatusCode.UNAVAILABLE),
        (b"500", grpc.StatusCode.UNKNOWN),
    ],
)
@pytest.mark.parametrize("content", [None, b"<html>"])
async def test_answer_of_a_web_server_is_an_error(
    http: bytes, status: grpc.StatusCode, content: bytes | None
) -> None:
    headers = [(b":status", http), (b"content-type", b"text/html")]
    error = await refused(partial(send_whole, headers=headers, content=content, trailers=None))
    assert error.status is status


async def test_answer_of_another_content_type_is_unknown() -> None:
    headers = [(b":status", b"200"), (b"content-type", b"text/html")]
    error = await refused(partial(send_whole, headers=headers, trailers=None))
    assert error.status is grpc.StatusCode.UNKNOWN
    assert "text/html" in error.message


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        prefixed(b"abc")[:4],
        prefixed(b"abc")[:-1],
        prefixed(b"abc") + b"d",
        prefixed(b"abc") + prefixed(b"abc"),
        struct.pack(">BI", 1, 3) + b"abc",
    ],
    ids=["none", "empty", "half a prefix", "truncated", "longer", "two", "compressed"],
)
async def test_answer_that_is_not_one_plain_message_is_internal(content: bytes | None) -> None:
    error = await refused(partial(send_whole, content=content))
    assert error.status is grpc.StatusCode.INTERNAL


async def test_ok_in_trailers_alone_is_internal() -> None:
    headers = [*OK_HEADERS, *OK_TRAILERS]
    error = await refused(partial(send_whole, headers=headers, content=None, trailers=None))
    assert error.status is grpc.StatusCode.INTERNAL


async def test_answer_without_trailers_is_internal() -> None:
    error = await refused(partial(send_whole, trailers=None))
    assert (error.status, error.message) == (
        grpc.StatusCode.INTERNAL,
        "an answer without trailers",
    )


async def test_answer_without_a_status_is_unknown() -> None:
    error = await refused(partial(send_whole, trailers=[(b"x-a", b"1")]))
    assert error.status is grpc.StatusCode.UNKNOWN


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ErrorCodes.NO_ERROR, grpc.StatusCode.INTERNAL),
        (ErrorCodes.PROTOCOL_ERROR, grpc.StatusCode.INTERNAL),
        (ErrorCodes.INTERNAL_ERROR, grpc.StatusCode.INTERNAL),
        (ErrorCodes.FLOW_CONTROL_ERROR, grpc.StatusCode.INTERNAL),
        (ErrorCodes.REFUSED_STREAM, grpc.StatusCode.UNAVAILABLE),
        (ErrorCodes.CANCEL, grpc.StatusCode.CANCELLED),
        (ErrorCodes.ENHANCE_YOUR_CALM, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (ErrorCodes.INADEQUATE_SECURITY, grpc.StatusCode.PERMISSION_DENIED),
    ],
)
@pytest.mark.parametrize("has_begun", [False, True])
async def test_reset_is_the_status_of_its_code(
    code: ErrorCodes, status: grpc.StatusCode, has_begun: bool
) -> None:
    async def answer(call: PeerCall) -> None:
        await call.until_ended()
        if has_begun:
            call.send_headers(OK_HEADERS)
            await call.send_data(prefixed(b"abc"))
        call.reset(code)

    assert (await refused(answer)).status is status


@pytest.mark.parametrize("excess_bytes", [1, 100_000])
async def test_answer_too_large_of_a_peer_that_keeps_to_the_window_is_resource_exhausted(
    excess_bytes: int,
) -> None:
    async with (
        H2Peer(partial(send_whole, content=prefixed(bytes(1000 + excess_bytes)))) as peer,
        open_channel(peer.address, max_received_bytes=1000) as channel,
    ):
        with pytest.raises(RpcError) as caught:
            await send(channel, timeout_s=0.5)
        assert caught.value.status is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_answer_as_large_as_allowed_is_returned_with_padding() -> None:
    async def answer(call: PeerCall) -> None:
        await call.until_ended()
        call.send_headers(OK_HEADERS)
        await call.send_data(prefixed(bytes(1000)), pad_bytes=10)
        call.send_headers(OK_TRAILERS, is_end=True)

    async with (
        H2Peer(answer) as peer,
        open_channel(peer.address, max_received_bytes=1000) as channel,
    ):
        assert await send(channel, timeout_s=0.5) == bytes(1000)


# What h2 does not write.


@dataclass
class Exchange:
    """A call that has reached its server, on stream 1, and the next on the same connection."""

    peer: RawPeer
    channel: Channel
    call: asyncio.Task[bytes]
    there: RawConnection

    async def error(self) -> RpcError:
        with pytest.raises(RpcError) as caught:
            await self.call
        return caught.value

    async def next_answer(self) -> bytes:
        """Holds only where the connection has survived the first call."""
        call = asyncio.create_task(send(self.channel))
        await self.there.received(HeadersFrame, nth=1)
        self.there.answer(3, b"next")
        assert len(self.peer.connections) == 1
        return await call


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    async with RawPeer() as peer, open_channel(peer.address) as channel:
        call = asyncio.create_task(send(channel))
        there = await peer.connection()
        await there.received(DataFrame)
        yield Exchange(peer, channel, call, there)


async def test_reset_of_an_unknown_code_is_internal(exchange: Exchange) -> None:
    exchange.there.write(RstStreamFrame(1, 0xDEAD))
    assert (await exchange.error()).status is grpc.StatusCode.INTERNAL
    assert await exchange.next_answer() == b"next"


async def test_data_before_headers_is_internal(exchange: Exchange) -> None:
    exchange.there.write(DataFrame(1, prefixed(b"abc")))
    assert (await exchange.error()).status is grpc.StatusCode.INTERNAL
    assert (await exchange.there.received(RstStreamFrame)).error_code == ErrorCode.CANCEL
    assert await exchange.next_answer() == b"next"


async def test_headers_in_the_middle_of_an_answer_are_internal(exchange: Exchange) -> None:
    there = exchange.there
    there.write(there.headers(1, OK_HEADERS), there.headers(1, OK_HEADERS))
    assert (await exchange.error()).status is grpc.StatusCode.INTERNAL
    assert await exchange.next_answer() == b"next"


async def test_answer_without_an_http_status_is_unknown(exchange: Exchange) -> None:
    exchange.there.write(exchange.there.headers(1, OK_TRAILERS, is_end=True))
    assert (await exchange.error()).status is grpc.StatusCode.UNKNOWN
    assert await exchange.next_answer() == b"next"


async def test_answer_beyond_the_window_is_resource_exhausted() -> None:
    async with RawPeer() as peer, open_channel(peer.address, max_received_bytes=10) as channel:
        call = asyncio.create_task(send(channel))
        there = await peer.connection()
        await there.received(HeadersFrame)
        there.write(there.headers(1, OK_HEADERS), DataFrame(1, prefixed(bytes(11))))
        with pytest.raises(RpcError) as caught:
            await call
        assert caught.value.status is grpc.StatusCode.RESOURCE_EXHAUSTED
        await there.received(RstStreamFrame)


async def test_late_frames_of_an_ended_stream_are_ignored(exchange: Exchange) -> None:
    there = exchange.there
    there.answer(1, b"abc")
    assert await exchange.call == b"abc"
    there.write(
        DataFrame(1, b"more"),
        WindowUpdateFrame(1, 2**31 - 1),
        there.headers(1, [(b"x-late", b"is remembered by the tables of both")], is_end=True),
        RstStreamFrame(1, ErrorCode.STREAM_CLOSED),
    )
    assert await exchange.next_answer() == b"next"


@pytest.mark.parametrize(
    "frame",
    [
        frame_bytes(0xBE, 0xFF, 1, b"grease"),
        frame_bytes(0xFF, 0, 8, b""),
        AltSvcFrame(0, b"a", b'h2=":8000"'),
        PriorityFrame(1, depends_on=0),
    ],
    ids=["grease", "empty", "altsvc", "priority"],
)
async def test_frames_of_other_types_are_ignored(exchange: Exchange, frame: Frame | bytes) -> None:
    exchange.there.write(frame)
    exchange.there.answer(1, b"abc")
    assert await exchange.call == b"abc"
    assert await exchange.next_answer() == b"next"


@pytest.mark.parametrize("size", [0, 1, 20])
async def test_header_blocks_in_several_frames_are_read(exchange: Exchange, size: int) -> None:
    there = exchange.there
    head, tail = there.block(OK_HEADERS), there.block(OK_TRAILERS)
    there.write(
        HeadersFrame(1, head[:size]),
        ContinuationFrame(1, head[size : size + 3]),
        ContinuationFrame(1, b""),
        ContinuationFrame(1, head[size + 3 :], flags=["END_HEADERS"]),
        DataFrame(1, prefixed(b"abc")),
        HeadersFrame(1, b"", flags=["END_STREAM"]),
        ContinuationFrame(1, tail, flags=["END_HEADERS"]),
    )
    assert await exchange.call == b"abc"
    assert await exchange.next_answer() == b"next"
