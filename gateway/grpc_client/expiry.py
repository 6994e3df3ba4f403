"""Ends the calls whose time is spent, with one timer for all calls of a channel.

Nearly all end before; a timer for each, made and dropped, would cost more than what it watches. So
the timer of an earlier call goes on, and looks when it rings which is the next that is due.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import grpc

from gateway.grpc_client.errors import RpcError

if TYPE_CHECKING:
    import asyncio

    from gateway.grpc_client.stream import Stream


class Expiry:
    """The calls that run, and when each must be over.

    Args:
        loop: in whose time is counted.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due_s: dict[Stream, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looks_s = math.inf

    def watch(self, stream: Stream, due_s: float) -> None:
        """Fails a call when its time comes, unless it is forgotten before."""
        self._due_s[stream] = due_s
        if due_s < self._looks_s:
            self._look_at(due_s)

    def forget(self, stream: Stream) -> None:
        """Hears that a call is over."""
        self._due_s.pop(stream, None)

    def close(self) -> None:
        """Watches no longer."""
        self._due_s.clear()
        self._stop()

    def _look_at(self, due_s: float) -> None:
        self._stop()
        self._looks_s = due_s
        self._timer = self._loop.call_at(due_s, self._look)

    def _stop(self) -> None:
        self._looks_s = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._stop()
        now_s = self._loop.time()
        for stream in [each for each, due_s in self._due_s.items() if due_s <= now_s]:
            del self._due_s[stream]
            stream.fail(spent())
        if self._due_s:
            self._look_at(min(self._due_s.values()))


def spent() -> RpcError:
    """What a call whose time is spent ends with."""
    return RpcError(grpc.StatusCode.DEADLINE_EXCEEDED, "the time of the call is spent")
