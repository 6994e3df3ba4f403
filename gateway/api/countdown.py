"""Gives a connection its end when what it waits for does not come, with hardly a timer.

A request winds a clock for its head, one for its body, and one for the next request, and mostly
none of them rings. A timer of the event loop that is made and dropped costs more than to write down
when it would ring. So one is made for the shortest time that there is, and looks when it rings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

T = TypeVar("T")


class Countdown(Generic[T]):
    """A clock that is wound anew before it rings, again and again.

    Args:
        loop: in whose time it counts.
        shortest_s: no time that it is wound for is shorter, in seconds.
        ring: called with what it was wound with last, when that time is over.
    """

    __slots__ = ("_due_s", "_loop", "_reason", "_ring", "_shortest_s", "_timer")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, shortest_s: float, ring: Callable[[T], None]
    ) -> None:
        self._loop = loop
        self._shortest_s = shortest_s
        self._ring = ring
        self._reason: T | None = None
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, timeout_s: float, reason: T) -> None:
        """Winds it; what it was wound with before no longer counts.

        Args:
            timeout_s: after so many seconds it rings; at least `shortest_s`.
            reason: what `ring` is told.
        """
        self._reason = reason
        self._due_s = self._loop.time() + timeout_s
        # One that runs looks in time: it was made before now, for no longer than the shortest.
        if self._timer is None:
            self._timer = self._loop.call_later(self._shortest_s, self._look)

    def stop(self) -> None:
        """Lets it ring no more, until it is wound again."""
        self._reason = None

    def close(self) -> None:
        """Stops it for good, and lets go of all."""
        self.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if (reason := self._reason) is None:
            return
        left_s = self._due_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(min(left_s, self._shortest_s), self._look)
        else:
            self.stop()
            self._ring(reason)
