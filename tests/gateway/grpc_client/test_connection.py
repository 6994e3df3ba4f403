"""One connection, against a server that holds it to the rules."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from h2.settings import SettingCodes
from hyperframe.frame import (
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from gateway.grpc_client import frames
from gateway.grpc_client.connection import WINDOW_SLACK_BYTES, Connection
from gateway.grpc_client.errors import ErrorCode, RpcError
from gateway.grpc_client.headers import MAX_BYTES, write_request
from tests.gateway.conftest import eventually
from tests.gateway.grpc_client.h2_peer import H2Peer, PeerCall, echo, send_ok
from tests.gateway.grpc_client.listening import (
    LIMIT_BYTES,
    PATH,
    PATIENCE_S,
    open_channel,
    open_connection,
    send,
)
from tests.gateway.grpc_client.raw_peer import RawPeer, frame_bytes, prefixed

if TYPE_CHECKING:
    from gateway.grpc_client.stream import Stream

pytestmark = pytest.mark.anyio

LARGE = bytes(range(256)) * 400  # 102,400 bytes


def begin(connection: Connection, message: bytes = b"") -> Stream:
    return connection.begin(write_request("host:1", PATH, PATIENCE_S, ()), [message])


async def failure(answer: asyncio.Future[bytes]) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await answer
    return caught.value


class Gate:
    """Answers calls as an echo, once it is open."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, call: PeerCall) -> None:
        await self.opened.wait()
        if call.reset_code is None:
            await echo(call)


# --- what is said at first ---------------------------------------------------------------------


async def test_connection_says_its_limits_and_declines_pushes() -> None:
    async with RawPeer() as peer, open_connection(peer.port):
        there = await peer.connection()
        settings = (await there.received(SettingsFrame)).settings
        assert settings == {
            SettingsFrame.ENABLE_PUSH: 0,
            SettingsFrame.INITIAL_WINDOW_SIZE: LIMIT_BYTES + WINDOW_SLACK_BYTES,
            SettingsFrame.MAX_HEADER_LIST_SIZE: MAX_BYTES,
        }
        update = await there.received(WindowUpdateFrame)
        assert (update.stream_id, update.window_increment) == (0, 2**31 - 1 - 65_535)
        acknowledgement = await there.received(SettingsFrame, nth=1)
        assert "ACK" in acknowledgement.flags


async def test_ping_is_answered_with_its_payload() -> None:
    async with RawPeer() as peer, open_connection(peer.port):
        there = await peer.connection()
        there.write(PingFrame(0, b"\0\1\2\3\xff\xfe\xfd\xfc"))
        pong = await there.received(PingFrame)
        assert pong.opaque_data == b"\0\1\2\3\xff\xfe\xfd\xfc"
        assert "ACK" in pong.flags


async def test_answer_to_a_ping_is_not_answered() -> None:
    async with RawPeer() as peer, open_connection(peer.port):
        there = await peer.connection()
        there.write(PingFrame(0, b"answered", flags=["ACK"]), PingFrame(0, b"question"))
        assert (await there.received(PingFrame)).opaque_data == b"question"


# --- flow control ------------------------------------------------------------------------------


async def test_small_window_of_a_stream_is_kept_to() -> None:
    async def give_bit_by_bit(call: PeerCall) -> None:
        limit, credit = 10, 997
        while limit < len(prefixed(LARGE)):
            await call.until_received(limit)
            call.give(stream_bytes=credit, connection_bytes=credit)
            limit += credit
        await call.until_ended()
        assert max(call.sizes) == credit
        await send_ok(call, bytes(call.received))

    settings = {SettingCodes.INITIAL_WINDOW_SIZE: 10}
    async with (
        H2Peer(give_bit_by_bit, settings=settings, gives_credit=False) as peer,
        open_channel(peer.address) as channel,
    ):
        assert await send(channel, LARGE) == LARGE


async def test_window_of_the_connection_is_kept_to_by_all_streams() -> None:
    messages = [bytes([each]) * 50_000 for each in range(4)]
    settings = {SettingCodes.INITIAL_WINDOW_SIZE: 2**20}
    async with (
        H2Peer(settings=settings, gives_credit=False) as peer,
        open_channel(peer.address) as channel,
    ):
        calls = [asyncio.create_task(send(channel, each)) for each in messages]
        limit, credit = 65_535, 20_000
        while limit < sum(len(prefixed(each)) for each in messages):
            await peer.until_received(limit)
            peer.calls[0].give(connection_bytes=credit)
            limit += credit
        assert await asyncio.gather(*calls) == messages


async def test_window_that_is_lowered_below_nothing_waits_for_the_rest() -> None:
    async def lower(call: PeerCall) -> None:
        connection = call.connection
        await call.until_received(1000)
        connection.change_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})
        await call.until(lambda: connection.acknowledged == 2)
        # The window is at -900: with 900 more there is nothing to send yet.
        call.give(stream_bytes=900)
        call.give(stream_bytes=1)
        await call.until_received(1001)
        assert len(call.received) == 1001
        connection.change_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**20})
        await echo(call)

    async with (
        H2Peer(
            lower, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1000}, gives_credit=False
        ) as peer,
        open_channel(peer.address) as channel,
    ):
        call = asyncio.create_task(send(channel, LARGE))
        await peer.until_received(1002)
        peer.calls[0].give(connection_bytes=2**20)
        assert await call == LARGE


async def test_window_of_nothing_lets_headers_through_and_no_data() -> None:
    async def open_window(call: PeerCall) -> None:
        assert not call.received
        call.connection.change_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**20})
        await echo(call)

    async with (
        H2Peer(open_window, settings={SettingCodes.INITIAL_WINDOW_SIZE: 0}) as peer,
        open_channel(peer.address) as channel,
    ):
        assert await send(channel, b"abc") == b"abc"


@pytest.mark.parametrize("frame_size", [16_384, 20_000, 2**24 - 1])
async def test_frames_are_no_larger_than_the_peer_takes(frame_size: int) -> None:
    settings = {
        SettingCodes.MAX_FRAME_SIZE: frame_size,
        SettingCodes.INITIAL_WINDOW_SIZE: 2**20,
    }
    async with H2Peer(settings=settings) as peer, open_channel(peer.address) as channel:
        assert await send(channel, LARGE) == LARGE
        assert max(peer.calls[0].sizes) == min(frame_size, 65_535)


async def test_small_call_passes_a_large_one_that_waits_for_credit() -> None:
    async def answer(call: PeerCall) -> None:
        if dict(call.fields)[b":path"] == b"/test.Service/Small":
            await echo(call)
        else:
            await call.until_received(65_530 // 2)
            await gate.opened.wait()
            call.give(stream_bytes=2**20, connection_bytes=2**20)
            await echo(call)

    gate = Gate()
    settings = {SettingCodes.INITIAL_WINDOW_SIZE: 65_530 // 2}
    async with (
        H2Peer(answer, settings=settings, gives_credit=False) as peer,
        open_channel(peer.address) as channel,
    ):
        large = asyncio.create_task(send(channel, LARGE))
        await peer.news.until(lambda: len(peer.calls) == 1)
        small = await channel.call("/test.Service/Small", [b"abc"], timeout_s=PATIENCE_S)
        assert small == b"abc"
        assert not large.done()
        gate.opened.set()
        assert await large == LARGE


async def test_window_of_the_connection_is_filled_up_again() -> None:
    frame = frame_bytes(frames.DATA, 0, 1, bytes(frames.DEFAULT_FRAME_BYTES))
    pieces = 64
    async with RawPeer() as peer, open_connection(peer.port) as connection:
        there = await peer.connection()
        first = await there.received(WindowUpdateFrame)
        stream = begin(connection)
        await there.received(HeadersFrame)
        connection.end(stream)
        # More than 1 GiB, late on a stream that has ended: past the socket, for the time it takes.
        data = frame * pieces
        received_bytes = 0
        while received_bytes <= 2**30:
            connection.data_received(data)
            received_bytes += pieces * frames.DEFAULT_FRAME_BYTES
        second = await there.received(WindowUpdateFrame, nth=1)
        assert second.stream_id == 0
        assert 2**30 - 1 < second.window_increment <= received_bytes
        assert 65_535 + first.window_increment == 2**31 - 1


# --- how many at a time ------------------------------------------------------------------------


async def test_calls_wait_where_the_peer_takes_one_at_a_time() -> None:
    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}  # h2 refuses a second
    async with H2Peer(settings=settings) as peer, open_channel(peer.address) as channel:
        messages = [b"%d" % each for each in range(20)]
        answers = await asyncio.gather(*(send(channel, each) for each in messages))
        assert answers == messages
        assert [bytes(each.received) for each in peer.calls] == [
            prefixed(each) for each in messages
        ]
        assert len(peer.connections) == 1


async def test_call_that_expires_while_it_waits_is_never_sent() -> None:
    gate = Gate()
    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    async with H2Peer(gate, settings=settings) as peer, open_channel(peer.address) as channel:
        first = asyncio.create_task(send(channel, b"first"))
        await peer.news.until(lambda: len(peer.calls) == 1)
        with pytest.raises(RpcError) as caught:
            await send(channel, b"second", timeout_s=0.02)
        assert caught.value.status is grpc.StatusCode.DEADLINE_EXCEEDED
        third = asyncio.create_task(send(channel, b"third"))
        gate.opened.set()
        assert [await first, await third] == [b"first", b"third"]
        assert [bytes(each.received[5:]) for each in peer.calls] == [b"first", b"third"]


async def test_call_that_is_cancelled_while_it_waits_is_never_sent() -> None:
    gate = Gate()
    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    async with H2Peer(gate, settings=settings) as peer, open_channel(peer.address) as channel:
        first = asyncio.create_task(send(channel, b"first"))
        await peer.news.until(lambda: len(peer.calls) == 1)
        second = asyncio.create_task(send(channel, b"second"))
        third = asyncio.create_task(send(channel, b"third"))
        await asyncio.sleep(0)  # both have begun
        second.cancel()
        gate.opened.set()
        assert [await first, await third] == [b"first", b"third"]
        assert [bytes(each.received[5:]) for each in peer.calls] == [b"first", b"third"]


async def test_calls_cancelled_together_are_not_sent_one_after_the_other() -> None:
    gate = Gate()
    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    async with H2Peer(gate, settings=settings) as peer, open_channel(peer.address) as channel:
        calls = [asyncio.create_task(send(channel, b"%d" % each)) for each in range(3)]
        await peer.news.until(lambda: len(peer.calls) == 1)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        gate.opened.set()
        assert await send(channel, b"last") == b"last"
        assert len(peer.calls) == 2


async def test_peer_that_takes_more_at_a_time_gets_what_waited() -> None:
    gate = Gate()
    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    async with H2Peer(gate, settings=settings) as peer, open_channel(peer.address) as channel:
        calls = [asyncio.create_task(send(channel, b"%d" % each)) for each in range(3)]
        await peer.news.until(lambda: len(peer.calls) == 1)
        peer.connections[0].change_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 3})
        await peer.news.until(lambda: len(peer.calls) == 3)
        gate.opened.set()
        assert await asyncio.gather(*calls) == [b"0", b"1", b"2"]


async def test_last_stream_of_a_connection_closes_it() -> None:
    gate = Gate()
    async with H2Peer(gate) as peer, open_connection(peer.port) as connection:
        connection._next_id = 2**31 - 3  # so many calls would take days
        answers = [begin(connection, b"a").answer, begin(connection, b"b").answer]
        await peer.news.until(lambda: len(peer.calls) == 2)
        assert [each.stream_id for each in peer.calls] == [2**31 - 3, 2**31 - 1]
        assert not connection.is_open
        gate.opened.set()
        assert await asyncio.gather(*answers) == [b"a", b"b"]
        await peer.news.until(lambda: peer.connections[0].is_closed)


# --- header tables -----------------------------------------------------------------------------


async def test_peer_without_a_header_table_reads_all_calls() -> None:
    settings = {SettingCodes.HEADER_TABLE_SIZE: 0}
    async with H2Peer(settings=settings) as peer, open_channel(peer.address) as channel:
        for _ in range(3):
            assert await send(channel, b"abc") == b"abc"
        peer.connections[0].change_settings({SettingCodes.HEADER_TABLE_SIZE: 4096})
        assert await send(channel, b"abc") == b"abc"
        peer.connections[0].change_settings({SettingCodes.HEADER_TABLE_SIZE: 0})
        assert await send(channel, b"abc") == b"abc"


# --- a peer that takes its leave ---------------------------------------------------------------


async def test_goaway_lets_the_calls_end_that_the_peer_has_taken() -> None:
    gate = Gate()
    async with H2Peer(gate) as peer, open_channel(peer.address) as channel:
        calls = [asyncio.create_task(send(channel, each)) for each in (b"taken", b"not taken")]
        await peer.news.until(lambda: len(peer.calls) == 2)
        peer.connections[0].go_away(last_stream_id=1)
        assert (await failure(calls[1])).status is grpc.StatusCode.UNAVAILABLE
        assert not calls[0].done()
        gate.opened.set()
        assert await calls[0] == b"taken"
        await peer.news.until(lambda: peer.connections[0].is_closed)


async def test_call_after_a_goaway_is_made_on_a_new_connection() -> None:
    gate = Gate()
    async with H2Peer(gate) as peer, open_channel(peer.address) as channel:
        first = asyncio.create_task(send(channel, b"first"))
        await peer.news.until(lambda: len(peer.calls) == 1)
        peer.connections[0].go_away(last_stream_id=2**31 - 1)
        peer.connections[0].go_away(last_stream_id=1)
        await eventually(lambda: channel._connection is None or not channel._connection.is_open)
        second = asyncio.create_task(send(channel, b"second"))
        await peer.news.until(lambda: len(peer.calls) == 2)
        gate.opened.set()
        assert [await first, await second] == [b"first", b"second"]
        assert [each.connection for each in peer.calls] == peer.connections
        assert len(peer.connections) == 2


async def test_goaway_without_calls_closes_the_connection() -> None:
    async with H2Peer() as peer, open_channel(peer.address) as channel:
        await send(channel)
        peer.connections[0].go_away(last_stream_id=1, code=ErrorCode.ENHANCE_YOUR_CALM)
        await peer.news.until(lambda: peer.connections[0].is_closed)
        assert await send(channel, b"abc") == b"abc"


async def test_goaway_fails_the_calls_that_wait() -> None:
    gate = Gate()
    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    async with H2Peer(gate, settings=settings) as peer, open_channel(peer.address) as channel:
        first = asyncio.create_task(send(channel, b"first"))
        await peer.news.until(lambda: len(peer.calls) == 1)
        second = asyncio.create_task(send(channel, b"second"))
        await asyncio.sleep(0)  # it waits
        peer.connections[0].go_away(last_stream_id=1)
        assert (await failure(second)).status is grpc.StatusCode.UNAVAILABLE
        gate.opened.set()
        assert await first == b"first"


async def test_goaway_that_refuses_all_opens_no_stream_any_more() -> None:
    gate = Gate()
    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    async with H2Peer(gate, settings=settings) as peer, open_channel(peer.address) as channel:
        calls = [asyncio.create_task(send(channel, timeout_s=1.0)) for _ in range(2)]
        await peer.news.until(lambda: len(peer.calls) == 1)
        peer.connections[0].go_away(last_stream_id=0)
        statuses = [(await failure(each)).status for each in calls]
        assert statuses == [grpc.StatusCode.UNAVAILABLE] * 2
        await peer.news.until(lambda: peer.connections[0].is_closed)
        assert len(peer.calls) == 1


async def test_peer_that_closes_the_connection_fails_its_calls() -> None:
    async with H2Peer(Gate()) as peer, open_channel(peer.address) as channel:
        calls = [asyncio.create_task(send(channel, LARGE)) for _ in range(2)]
        await peer.news.until(lambda: len(peer.calls) == 2)
        peer.connections[0].writer.close()
        for call in calls:
            assert (await failure(call)).status is grpc.StatusCode.UNAVAILABLE


async def test_peer_that_aborts_the_connection_fails_its_calls() -> None:
    async with H2Peer(Gate()) as peer, open_channel(peer.address) as channel:
        call = asyncio.create_task(send(channel))
        await peer.news.until(lambda: len(peer.calls) == 1)
        peer.connections[0].writer.transport.abort()
        assert (await failure(call)).status is grpc.StatusCode.UNAVAILABLE


# --- signs of life -----------------------------------------------------------------------------


async def test_silent_peer_under_a_call_is_given_up() -> None:
    async with RawPeer() as peer, open_connection(peer.port, keepalive_s=0.05) as connection:
        there = await peer.connection()
        stream = begin(connection)
        error = await failure(stream.answer)
        assert (error.status, error.message) == (
            grpc.StatusCode.UNAVAILABLE,
            "no sign of life",
        )
        assert not connection.is_open
        await there.closed()
        pings = [each for each in there.frames if isinstance(each, PingFrame)]
        assert len(pings) == 1


async def test_peer_that_answers_pings_may_take_its_time() -> None:
    gate = Gate()
    async with (
        H2Peer(gate) as peer,
        open_connection(peer.port, keepalive_s=0.05) as connection,
    ):
        stream = begin(connection, b"abc")
        await peer.news.until(lambda: bool(peer.connections) and peer.connections[0].pings == 2)
        gate.opened.set()
        assert await stream.answer == b"abc"


async def test_idle_connection_sends_no_ping() -> None:
    async with H2Peer() as peer:
        async with open_connection(peer.port, keepalive_s=0.01) as connection:
            stream = begin(connection)
            await stream.answer
            pings = peer.connections[0].pings  # a busy machine may have sent some by now
            await asyncio.sleep(0.2)  # twenty times the silence that it takes
            assert connection.is_open
        await peer.news.until(lambda: peer.connections[0].is_closed)
        assert peer.connections[0].pings == pings


# --- the end -----------------------------------------------------------------------------------


async def test_close_tells_the_peer_and_fails_the_calls() -> None:
    async with RawPeer() as peer, open_connection(peer.port) as connection:
        there = await peer.connection()
        stream = begin(connection)
        await there.received(DataFrame)
        connection.close("enough")
        error = await failure(stream.answer)
        assert (error.status, error.message) == (grpc.StatusCode.UNAVAILABLE, "enough")
        assert (await there.received(GoAwayFrame)).error_code == ErrorCode.NO_ERROR
        await there.closed()
        assert not connection.is_open


async def test_call_that_ends_early_is_reset() -> None:
    async with RawPeer() as peer, open_connection(peer.port) as connection:
        there = await peer.connection()
        stream = begin(connection)
        connection.end(stream)
        connection.end(stream)  # once is enough
        stream.answer.cancel()
        begin(connection).answer.cancel()
        await there.received(HeadersFrame, nth=1)
        resets = [each for each in there.frames if isinstance(each, RstStreamFrame)]
        assert [(each.stream_id, each.error_code) for each in resets] == [(1, ErrorCode.CANCEL)]


async def test_ready_fails_where_the_peer_leaves_at_once() -> None:
    async with RawPeer(opening=b"") as peer:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(max_received_bytes=1), "127.0.0.1", peer.port
        )
        (await peer.connection())._writer.close()
        with pytest.raises(RpcError) as caught:
            await connection.ready
        assert caught.value.status is grpc.StatusCode.UNAVAILABLE
        assert not connection.is_open
