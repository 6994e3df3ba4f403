"""Cores that all who compute on a machine share, in a simulation.

A kernel does not divide all cores equally among all who want them. Each core has a queue of its own
and divides itself among that (processor sharing, Kleinrock 1967). Work goes to an idle core; where
there is none it stays where it was woken, however long the queue is. A core that has nothing left
takes from the longest queue at its next tick. So of three on two cores one is alone and quick and
two are half as fast, and it stays so until one of them ends. Cores that are busy together may be
slower than one alone (two threads of one physical core, one memory).
"""

from __future__ import annotations

import heapq
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from loadtest.capacity.events import Events

_TICK_S: Final = 0.004  # CONFIG_HZ=250, as distributions build kernels


class _Core:
    """One core, whose tasks all go at one speed: a clock that runs at it says when they end."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._done_s = 0.0  # work that each task has got since the begin of time
        self._ends: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, work_s: float, done: Callable[[], None]) -> None:
        heapq.heappush(self._ends, (self._done_s + work_s, next(self._order), done))

    def advance(self, elapsed_s: float) -> None:
        self._done_s += elapsed_s * self.rate

    def left_s(self) -> float:
        """Time to the next end, in seconds."""
        return max(0.0, self._ends[0][0] - self._done_s) / self.rate

    def take(self) -> Callable[[], None]:
        """Takes out the task whose end has come."""
        end_s, _, done = heapq.heappop(self._ends)
        self._done_s = max(self._done_s, end_s)
        return done

    def give(self, to: _Core) -> None:
        """Hands the task with the most work left to another core."""
        longest = max(self._ends)
        self._ends.remove(longest)
        heapq.heapify(self._ends)
        end_s, _, done = longest
        to.add(end_s - self._done_s, done)


class Cores:
    """The cores of one machine."""

    def __init__(self, events: Events, number: int, chance: Random, slowdown: float = 1.0) -> None:
        """Makes them idle.

        Args:
            events: of the simulation.
            number: of cores.
            chance: draws where work is woken, and when a tick comes.
            slowdown: how many times as long work takes when all are busy.
        """
        self._events = events
        self._chance = chance
        self._slowdown = slowdown
        self._cores = [_Core() for _ in range(number)]
        self._at_s = 0.0
        self._version = 0

    @property
    def has_idle(self) -> bool:
        """Whether one has nothing to do."""
        return not all(self._cores)

    def run(self, work_s: float, done: Callable[[], None]) -> None:
        """Does some work.

        Args:
            work_s: what it takes of a core that nobody else wants.
            done: called at its end.
        """
        self._advance()
        idle = [core for core in self._cores if not core]
        core = idle[0] if idle else self._chance.choice(self._cores)
        core.add(work_s, done)
        self._share()

    def _advance(self) -> None:
        elapsed_s = self._events.now_s - self._at_s
        self._at_s = self._events.now_s
        for core in self._cores:
            core.advance(elapsed_s)

    def _share(self) -> None:
        """Divides each core anew, and plans the next end."""
        busy = [core for core in self._cores if core]
        self._version += 1
        if not busy:
            return
        speed = 1 / self._stretched(len(busy))
        for core in busy:
            core.rate = speed / len(core)
        first = min(busy, key=_Core.left_s)
        self._events.at(self._at_s + first.left_s(), partial(self._end, first, self._version))

    def _stretched(self, busy: int) -> float:
        others = len(self._cores) - 1
        return 1 + (self._slowdown - 1) * (busy - 1) / others if others else 1.0

    def _end(self, core: _Core, version: int) -> None:
        if version != self._version:  # the cores were divided anew since
            return
        self._advance()
        done = core.take()
        if not core and len(self._longest()) > 1:
            tick_s = self._events.now_s + _TICK_S * self._chance.random()
            self._events.at(tick_s, partial(self._pull, core))
        self._share()
        done()

    def _pull(self, core: _Core) -> None:
        """Gives an idle core something to do, if there is."""
        if not core and len(longest := self._longest()) > 1:
            self._advance()
            longest.give(core)
            self._share()

    def _longest(self) -> _Core:
        return max(self._cores, key=len)
