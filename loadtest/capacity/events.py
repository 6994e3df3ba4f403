"""The clock of a simulation: what is to happen, in the order of its time."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Events:
    """A queue of events; `now_s` moves from one to the next."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()  # of two at the same time the one that was planned first

    def clock(self) -> float:
        """Returns the time, as `time.perf_counter` does."""
        return self.now_s

    def at(self, time_s: float, happen: Callable[[], None]) -> None:
        """Plans an event."""
        heapq.heappush(self._queue, (time_s, next(self._number), happen))

    def run(self) -> None:
        """Lets everything happen that is planned, and what that plans."""
        while self._queue:
            self.now_s, _, happen = heapq.heappop(self._queue)
            happen()
