"""Cores that all who compute on a machine share, in a simulation.

Processor sharing (Kleinrock 1967): of more tasks than cores each gets an equal part, and none more
than a core. What the kernel runs first goes first: encoders ask to be batch work (`SCHED_BATCH`),
so gateway, server and client take a core from them, and share what they take. Cores that are busy
together may be slower than one alone (two threads of one physical core, one memory).
"""

from __future__ import annotations

import heapq
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.capacity.events import Events


class _Tasks:
    """Tasks of one class, each with the same speed: a clock that runs at it says when they end."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._done_s = 0.0  # work that each task has got since the begin of time
        self._ends: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, work_s: float, done: Callable[[], None]) -> None:
        heapq.heappush(self._ends, (self._done_s + work_s, next(self._number), done))

    def advance(self, elapsed_s: float) -> None:
        self._done_s += elapsed_s * self.rate

    def left_s(self) -> float | None:
        """Time to the next end, in seconds; None where nothing moves."""
        if not self._ends or self.rate <= 0:
            return None
        return max(0.0, self._ends[0][0] - self._done_s) / self.rate

    def take(self) -> Callable[[], None]:
        """Takes out the task whose end has come."""
        end_s, _, done = heapq.heappop(self._ends)
        self._done_s = max(self._done_s, end_s)
        return done


class Cores:
    """The cores of one machine."""

    def __init__(self, events: Events, number: int, slowdown: float = 1.0) -> None:
        """Makes them idle.

        Args:
            events: of the simulation.
            number: of cores.
            slowdown: how many times as long work takes when all are busy.
        """
        self._events = events
        self._number = number
        self._slowdown = slowdown
        self._first, self._batch = _Tasks(), _Tasks()
        self._at_s = 0.0
        self._version = 0

    def run(self, work_s: float, done: Callable[[], None], *, goes_first: bool = False) -> None:
        """Does some work.

        Args:
            work_s: what it takes of a core that nobody else wants.
            done: called at its end.
            goes_first: whether it goes before batch work.
        """
        self._advance()
        (self._first if goes_first else self._batch).add(work_s, done)
        self._share()

    def _advance(self) -> None:
        elapsed_s = self._events.now_s - self._at_s
        self._at_s = self._events.now_s
        for tasks in (self._first, self._batch):
            tasks.advance(elapsed_s)

    def _share(self) -> None:
        """Divides the cores anew, and plans the next end."""
        first, batch = len(self._first), len(self._batch)
        speed = 1 / self._stretched(min(self._number, first + batch))
        left = max(0, self._number - first)
        self._first.rate = speed * min(1.0, self._number / first) if first else 0.0
        self._batch.rate = speed * min(1.0, left / batch) if batch else 0.0
        self._version += 1
        version = self._version
        for tasks in (self._first, self._batch):
            if (left_s := tasks.left_s()) is not None:
                self._events.at(self._at_s + left_s, partial(self._end, tasks, version))

    def _stretched(self, busy: int) -> float:
        if self._number == 1:
            return 1.0
        return 1 + (self._slowdown - 1) * max(0, busy - 1) / (self._number - 1)

    def _end(self, tasks: _Tasks, version: int) -> None:
        if version != self._version:  # the cores were divided anew since
            return
        self._advance()
        done = tasks.take()
        self._share()
        done()
