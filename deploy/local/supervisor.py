"""Keeps services running: starts them, restarts with back-off what dies, stops them all.

It has no loop, no thread and no opinion on what to tell people: `launcher` calls `tend` again and
again and shows the incidents it returns.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.local.errors import ServiceNotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deploy.local.service import Service

_STABLE_S = 60.0


@dataclass(frozen=True)
class Backoff:
    """How long to wait before a restart.

    Attributes:
        first_s: the pause after the first death, in seconds; it doubles with each one in a row.
        max_s: the longest pause, in seconds.
    """

    first_s: float
    max_s: float

    def pause_s(self, deaths_in_a_row: int) -> float:
        """Returns the pause after this many deaths in a row, in seconds."""
        return float(min(self.max_s, self.first_s * 2 ** min(deaths_in_a_row - 1, 32)))


@dataclass(frozen=True)
class Died:
    """A service ended by itself; it will be started again after the pause."""

    service: str
    exit_code: int
    restart_in_s: float


@dataclass(frozen=True)
class Restarted:
    """A service was started again. It may take a while to be ready."""

    service: str
    pid: int


@dataclass(frozen=True)
class Recovered:
    """A service that was started again is ready."""

    service: str
    after_s: float


Incident = Died | Restarted | Recovered


@dataclass
class Watch:
    """One service and what is known of its life.

    Attributes:
        service: the service.
        restarts: how often it was started again.
        started_at_s: wall-clock time of the last start, in seconds since the epoch.
    """

    service: Service
    restarts: int = 0
    started_at_s: float = 0.0
    _up_since_s: float = field(default=0.0, init=False)
    _deaths_in_a_row: int = field(default=0, init=False)
    _restart_at_s: float | None = field(default=None, init=False)
    _is_recovering: bool = field(default=False, init=False)

    def start(self, now_s: float) -> None:
        """Starts the service."""
        self.service.start()
        self.started_at_s = time.time()
        self._up_since_s = now_s

    def tend(self, now_s: float, backoff: Backoff) -> Incident | None:
        """Looks once: did it die, is its restart due, is it ready again?"""
        if self._restart_at_s is not None:
            return self._restart(now_s) if now_s >= self._restart_at_s else None
        exit_code = self.service.exit_code()
        if exit_code is not None:
            return self._note_death(exit_code, now_s, backoff)
        if self._is_recovering and self.service.endpoint.is_ready():
            self._is_recovering = False
            return Recovered(self.service.name, now_s - self._up_since_s)
        return None

    def _note_death(self, exit_code: int, now_s: float, backoff: Backoff) -> Died:
        has_been_stable = now_s - self._up_since_s >= _STABLE_S
        self._deaths_in_a_row = 1 if has_been_stable else self._deaths_in_a_row + 1
        pause_s = backoff.pause_s(self._deaths_in_a_row)
        self._restart_at_s = now_s + pause_s
        return Died(self.service.name, exit_code, pause_s)

    def _restart(self, now_s: float) -> Restarted:
        self.start(now_s)
        self.restarts += 1
        self._restart_at_s = None
        self._is_recovering = True
        return Restarted(self.service.name, self.service.pid or 0)


class Supervisor:
    """Owns services: whoever makes one must `stop` it.

    Services are started in the order given and stopped in the reverse one, so that what depends on
    another stands behind it.
    """

    def __init__(
        self,
        services: Sequence[Service],
        backoff: Backoff,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts nothing yet.

        Args:
            services: what to run.
            backoff: the pauses before restarts.
            clock: a monotonic clock, in seconds.
        """
        self.watches = tuple(Watch(service) for service in services)
        self._backoff = backoff
        self._clock = clock

    def start(self) -> None:
        """Starts all services at once; they may wait for each other."""
        for watch in self.watches:
            watch.start(self._clock())

    def wait_ready(self, timeout_s: float, pause: Callable[[], None]) -> None:
        """Waits until all are ready. A death is not repaired here: the first start must succeed.

        Args:
            timeout_s: how long to wait at most, in seconds.
            pause: called between two looks; sleeps, and may raise to end the wait.

        Raises:
            ServiceExitedError: one ended.
            ServiceNotReadyError: the time is over.
        """
        deadline_s = self._clock() + timeout_s
        for watch in self.watches:
            while not watch.service.endpoint.is_ready():
                for each in self.watches:
                    each.service.raise_if_ended()
                if self._clock() >= deadline_s:
                    raise ServiceNotReadyError(
                        watch.service.name, timeout_s, watch.service.log_path
                    )
                pause()

    def tend(self) -> Iterator[Incident]:
        """Looks once at every service: notes what died, starts again what is due."""
        for watch in self.watches:
            incident = watch.tend(self._clock(), self._backoff)
            if incident:
                yield incident

    def stop(self) -> None:
        """Stops all services, the last one first."""
        for watch in reversed(self.watches):
            watch.service.stop()
