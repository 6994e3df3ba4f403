"""Calls whose time is spent, on an event loop with real timers."""

from __future__ import annotations

import asyncio
from functools import partial

import grpc
import pytest

from gateway.grpc_client.errors import RpcError
from gateway.grpc_client.expiry import Expiry
from gateway.grpc_client.stream import Stream

pytestmark = pytest.mark.anyio


def call() -> Stream:
    return Stream(asyncio.get_running_loop().create_future(), b"", [], 0)


def status(stream: Stream) -> grpc.StatusCode | None:
    """How a call ended; None: it runs."""
    if not stream.answer.done():
        return None
    error = stream.answer.exception()
    assert isinstance(error, RpcError)
    return error.status


def note(ended: list[str], name: str, _: object) -> None:
    ended.append(name)


async def test_each_call_ends_at_its_own_time_whatever_came_before_or_after() -> None:
    loop = asyncio.get_running_loop()
    expiry, now_s = Expiry(loop), loop.time()
    ended: list[str] = []
    due_s = {"middle": 0.1, "late": 0.2, "early": 0.03}
    streams = {name: call() for name in due_s}
    for name, stream in streams.items():
        stream.answer.add_done_callback(partial(note, ended, name))
        expiry.watch(stream, now_s + due_s[name])
    await asyncio.sleep(0.06)
    assert ended == ["early"]
    await asyncio.wait([each.answer for each in streams.values()], timeout=5)
    assert ended == ["early", "middle", "late"]
    assert {status(each) for each in streams.values()} == {grpc.StatusCode.DEADLINE_EXCEEDED}


async def test_a_call_that_is_forgotten_goes_on_and_the_others_still_end() -> None:
    loop = asyncio.get_running_loop()
    expiry = Expiry(loop)
    done, left = call(), call()
    expiry.watch(done, loop.time() + 0.02)
    expiry.watch(left, loop.time() + 0.06)
    expiry.forget(done)
    await asyncio.wait([left.answer], timeout=5)
    assert status(left) is grpc.StatusCode.DEADLINE_EXCEEDED
    assert status(done) is None


async def test_a_call_after_all_others_were_forgotten_ends_too() -> None:
    loop = asyncio.get_running_loop()
    expiry = Expiry(loop)
    for _ in range(3):
        stream = call()
        expiry.watch(stream, loop.time() + 0.02)
        expiry.forget(stream)
    await asyncio.sleep(0.05)
    last = call()
    expiry.watch(last, loop.time() + 0.02)
    await asyncio.wait([last.answer], timeout=5)
    assert status(last) is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_closed_it_ends_no_call() -> None:
    loop = asyncio.get_running_loop()
    expiry, stream = Expiry(loop), call()
    expiry.watch(stream, loop.time() + 0.02)
    expiry.close()
    await asyncio.sleep(0.05)
    assert status(stream) is None
