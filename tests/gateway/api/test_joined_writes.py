"""What is written together, and what must not wait."""

from __future__ import annotations

import asyncio

import pytest

from gateway.api.joined_writes import JoinedWrites

pytestmark = pytest.mark.anyio


class Recorded(asyncio.Transport):
    """A transport that remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


async def test_head_and_body_are_written_once() -> None:
    transport = Recorded()
    joined = JoinedWrites(transport, asyncio.get_running_loop())
    for _ in range(2):
        joined.write(b"head ")
        joined.write(b"body")
    await asyncio.sleep(0)
    assert transport.written == [b"head body", b"head body"]


async def test_head_does_not_wait_for_a_body_that_comes_later() -> None:
    transport = Recorded()
    joined = JoinedWrites(transport, asyncio.get_running_loop())
    joined.write(b"head")
    await asyncio.sleep(0)
    assert transport.written == [b"head"]
    joined.write(b"body")
    await asyncio.sleep(0)
    assert transport.written == [b"head", b"body"]


async def test_close_writes_what_is_held_first() -> None:
    transport = Recorded()
    joined = JoinedWrites(transport, asyncio.get_running_loop())
    joined.write(b"head")
    joined.close()
    assert transport.written == [b"head"]
    assert joined.is_closing()
    await asyncio.sleep(0)
    assert transport.written == [b"head"]
