"""Calls of a channel: their limits and deadlines, and how a connection is had."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from hyperframe.frame import DataFrame, SettingsFrame

from deploy.local.triton_server import free_ports
from gateway.grpc_client.errors import ErrorCode, RpcError
from tests.gateway.conftest import eventually
from tests.gateway.grpc_client.h2_peer import H2Peer, PeerCall, echo
from tests.gateway.grpc_client.listening import PATH, PATIENCE_S, open_channel, send
from tests.gateway.grpc_client.raw_peer import RawPeer, prefixed

if TYPE_CHECKING:
    from gateway.grpc_client.channel import Channel

pytestmark = pytest.mark.anyio


async def never(call: PeerCall) -> None:
    await call.until_ended()


async def failure(call: asyncio.Future[bytes]) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await call
    return caught.value


# --- a call ------------------------------------------------------------------------------------


async def test_call_sends_its_headers_and_its_message_with_prefix() -> None:
    async with H2Peer() as peer, open_channel(peer.address) as channel:
        answer = await channel.call(
            PATH,
            [b"ab", b"", b"c"],
            timeout_s=PATIENCE_S,
            metadata=[("x-request-id", "r-1"), ("empty", "")],
        )
        assert answer == b"abc"
        (call,) = peer.calls
        assert bytes(call.received) == prefixed(b"abc")
        timeout = call.fields.pop(b"grpc-timeout")
        assert timeout.endswith(b"u")
        assert 0 < int(timeout[:-1]) <= PATIENCE_S * 1_000_000
        assert call.fields == {
            b":method": b"POST",
            b":scheme": b"http",
            b":path": PATH.encode(),
            b":authority": peer.address.encode(),
            b"te": b"trailers",
            b"content-type": b"application/grpc",
            b"user-agent": b"diptych-gateway",
            b"grpc-accept-encoding": b"identity",
            b"x-request-id": b"r-1",
            b"empty": b"",
        }


async def test_calls_share_one_connection_that_the_first_has_made() -> None:
    async with H2Peer() as peer, open_channel(peer.address) as channel:
        messages = [b"%d" % each for each in range(30)]
        answers = await asyncio.gather(*(send(channel, each) for each in messages))
        assert answers == messages
        assert len(peer.connections) == 1


async def test_channel_without_a_call_makes_no_connection() -> None:
    async with H2Peer() as peer:
        async with open_channel(peer.address):
            pass
        async with open_channel(peer.address) as channel:
            await send(channel)
        assert len(peer.connections) == 1


async def test_message_that_is_too_long_is_not_sent() -> None:
    async with H2Peer() as peer, open_channel(peer.address, max_sent_bytes=4) as channel:
        assert await send(channel, b"abcd") == b"abcd"
        with pytest.raises(RpcError) as caught:
            await send(channel, b"abcde")
        assert caught.value.status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(peer.calls) == 1


async def test_metadata_that_is_too_long_is_not_sent() -> None:
    async with H2Peer() as peer, open_channel(peer.address) as channel:
        with pytest.raises(RpcError) as caught:
            await channel.call(PATH, [], timeout_s=PATIENCE_S, metadata=[("a", "b" * 9000)])
        assert caught.value.status is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await send(channel, b"abc") == b"abc"
        assert len(peer.calls) == 1


# --- deadlines and cancellation ----------------------------------------------------------------


@pytest.mark.parametrize("timeout_s", [0.0, -1.0])
async def test_call_without_time_is_late_at_once(timeout_s: float) -> None:
    async with H2Peer() as peer, open_channel(peer.address) as channel:
        with pytest.raises(RpcError) as caught:
            await send(channel, timeout_s=timeout_s)
        assert caught.value.status is grpc.StatusCode.DEADLINE_EXCEEDED
        assert peer.connections == []


async def test_call_past_its_deadline_is_late_and_reset() -> None:
    async with H2Peer(never) as peer, open_channel(peer.address) as channel:
        with pytest.raises(RpcError) as caught:
            await send(channel, timeout_s=0.1)
        assert caught.value.status is grpc.StatusCode.DEADLINE_EXCEEDED
        peer.answer = echo
        assert await send(channel, b"abc") == b"abc"
        assert peer.calls[0].reset_code == ErrorCode.CANCEL
        assert len(peer.connections) == 1


async def test_call_that_is_cancelled_is_reset() -> None:
    async with H2Peer(never) as peer, open_channel(peer.address) as channel:
        call = asyncio.create_task(send(channel))
        await peer.news.until(lambda: bool(peer.calls) and peer.calls[0].has_ended)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await peer.news.until(lambda: peer.calls[0].reset_code is not None)
        assert peer.calls[0].reset_code == ErrorCode.CANCEL
        peer.answer = echo
        assert await send(channel, b"abc") == b"abc"


async def test_large_call_that_is_cancelled_half_way_gives_way_to_the_next() -> None:
    async def swallow(call: PeerCall) -> None:
        await call.until_ended()

    async with H2Peer(swallow, gives_credit=False) as peer, open_channel(peer.address) as channel:
        call = asyncio.create_task(send(channel, bytes(100_000)))
        await peer.until_received(65_535)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await peer.news.until(lambda: peer.calls[0].reset_code == ErrorCode.CANCEL)
        peer.answer, peer.gives_credit = echo, True
        peer.calls[0].give(connection_bytes=65_535)
        assert await send(channel, bytes(100_000)) == bytes(100_000)


# --- no connection -----------------------------------------------------------------------------


async def test_refused_connection_is_unavailable_at_once() -> None:
    (port,) = free_ports(1)
    async with open_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(RpcError) as caught:
            await send(channel)
        assert caught.value.status is grpc.StatusCode.UNAVAILABLE
        assert "no connection: " in caught.value.message
        assert str(port) in caught.value.message


async def test_call_soon_after_a_failure_is_unavailable_without_another_try() -> None:
    (port,) = free_ports(1)
    async with open_channel(f"127.0.0.1:{port}") as channel:
        channel._backoff_s = 1000.0  # the next try is not to come while a busy machine pauses
        first = await failure(asyncio.ensure_future(send(channel)))
        async with H2Peer(port=port) as peer:
            second = await failure(asyncio.ensure_future(send(channel)))
            assert (second.status, second.message) == (first.status, first.message)
            assert peer.connections == []


async def is_answered(channel: Channel) -> bool:
    try:
        return await send(channel, b"abc") == b"abc"
    except RpcError:
        return False


async def test_server_that_comes_later_is_found() -> None:
    (port,) = free_ports(1)
    async with open_channel(f"127.0.0.1:{port}") as channel:
        assert not await is_answered(channel)
        async with H2Peer(port=port), asyncio.timeout(PATIENCE_S):
            while not await is_answered(channel):  # noqa: ASYNC110 - the wait ends by the clock
                await asyncio.sleep(0.02)


async def test_tries_of_a_missing_server_grow_rare_and_never_rarer_than_a_second() -> None:
    (port,) = free_ports(1)
    loop = asyncio.get_running_loop()
    bounds_s = []
    async with open_channel(f"127.0.0.1:{port}") as channel:
        for _ in range(8):
            channel._next_try_s = 0.0  # as if the time had passed
            before_s = loop.time()
            await failure(asyncio.ensure_future(send(channel)))
            next_s = channel._next_try_s
            bounds_s.append((next_s - loop.time(), next_s - before_s))  # the wait is between
    assert bounds_s[0][0] <= 0.12
    assert bounds_s[0][1] >= 0.08
    assert all(low <= 1.2 for low, _ in bounds_s)
    assert all(high >= 0.8 for _, high in bounds_s[5:])


async def test_calls_that_wait_for_a_connection_share_one_try() -> None:
    async with RawPeer(opening=b"") as peer, open_channel(peer.address) as channel:
        late = asyncio.create_task(send(channel, timeout_s=0.05))
        patient = [asyncio.create_task(send(channel)) for _ in range(3)]
        assert (await failure(late)).status is grpc.StatusCode.DEADLINE_EXCEEDED
        for call in patient:
            assert (await failure(call)).status is grpc.StatusCode.UNAVAILABLE
        there = await peer.connection()
        await there.closed()
        assert len(peer.connections) == 1


async def test_call_that_gives_up_leaves_the_try_to_the_others() -> None:
    async with RawPeer(opening=b"") as peer, open_channel(peer.address) as channel:
        hasty, patient = (asyncio.create_task(send(channel)) for _ in range(2))
        there = await peer.connection()
        hasty.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hasty
        there.write(SettingsFrame(0))
        await there.received(DataFrame)
        there.answer(1, b"abc")
        assert await patient == b"abc"


async def test_lost_connection_is_made_anew_by_the_next_call() -> None:
    async with H2Peer() as peer, open_channel(peer.address) as channel:
        await send(channel)
        peer.connections[0].writer.close()
        await eventually(lambda: channel._connection is None or not channel._connection.is_open)
        assert await send(channel, b"abc") == b"abc"
        assert len(peer.connections) == 2


async def test_call_past_its_deadline_on_a_silent_connection_is_late() -> None:
    async with RawPeer(opening=b"") as peer, open_channel(peer.address) as channel:
        with pytest.raises(RpcError) as caught:
            await send(channel, timeout_s=0.05)
        assert caught.value.status is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize("address", ["localhost:{}", "[127.0.0.1]:{}"])
async def test_address_is_a_name_or_in_brackets(address: str) -> None:
    async with H2Peer() as peer, open_channel(address.format(peer.port)) as channel:
        assert await send(channel, b"abc") == b"abc"
        assert peer.calls[0].fields[b":authority"].decode() == address.format(peer.port)


# --- the end -----------------------------------------------------------------------------------


async def test_close_fails_calls_in_flight_and_afterwards() -> None:
    async with H2Peer(never) as peer, open_channel(peer.address) as channel:
        calls = [asyncio.create_task(send(channel)) for _ in range(3)]
        await peer.news.until(lambda: len(peer.calls) == 3)
        await channel.close()
        for call in calls:
            assert (await failure(call)).status is grpc.StatusCode.UNAVAILABLE
        await peer.news.until(lambda: peer.connections[0].is_closed)
        assert peer.connections[0].goaway_code == ErrorCode.NO_ERROR
        error = await failure(asyncio.ensure_future(send(channel)))
        assert (error.status, error.message) == (
            grpc.StatusCode.UNAVAILABLE,
            "the channel is closed",
        )
        assert len(peer.connections) == 1


async def test_close_fails_calls_that_wait_for_a_connection() -> None:
    async with RawPeer(opening=b"") as peer, open_channel(peer.address) as channel:
        call = asyncio.create_task(send(channel))
        there = await peer.connection()
        await channel.close()
        assert (await failure(call)).status is grpc.StatusCode.UNAVAILABLE
        await there.closed()
        await channel.close()  # twice is no mistake


async def test_close_before_the_first_try_has_begun_fails_its_call() -> None:
    async with H2Peer() as peer, open_channel(peer.address) as channel:
        call = asyncio.create_task(send(channel))
        await asyncio.sleep(0)  # it asks for a connection, which nobody has begun to make
        await channel.close()
        assert (await failure(call)).status is grpc.StatusCode.UNAVAILABLE
        assert (await failure(asyncio.ensure_future(send(channel)))).status is (
            grpc.StatusCode.UNAVAILABLE
        )


async def test_close_fails_calls_on_a_connection_that_the_peer_is_leaving() -> None:
    async with H2Peer(never) as peer, open_channel(peer.address) as channel:
        old = asyncio.create_task(send(channel, timeout_s=1.0))
        await peer.news.until(lambda: len(peer.calls) == 1)
        peer.connections[0].go_away(last_stream_id=1)
        await eventually(lambda: channel._connection is None or not channel._connection.is_open)
        peer.answer = echo
        assert await send(channel, b"new") == b"new"
        await channel.close()
        assert (await failure(old)).status is grpc.StatusCode.UNAVAILABLE
