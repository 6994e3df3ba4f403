"""One Triton as its pool knows it: what it serves, how it does, and what is on its way to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from gateway.catalog import EMPTY_CATALOG, Catalog
from gateway.pools.breaker import Breaker, BreakerState
from gateway.pools.latency import Latency

if TYPE_CHECKING:
    from gateway.placement import PoolName
    from gateway.pools.look import Look
    from gateway.triton.backend import InferenceBackend

MAX_MISSES: Final = 2
"""Looks in a row that must go unanswered before a server counts as away."""


class EndpointState(StrEnum):
    """What a server is to its pool."""

    SERVING = "serving"
    TRIAL = "trial"
    EJECTED = "ejected"
    NOT_READY = "not_ready"
    DRAINING = "draining"


@dataclass(slots=True)
class Attempt:
    """One request on its way to a server.

    Attributes:
        started_s: when it was sent.
        timeout_s: how long it may take.
        is_trial: whether it is to show that the server is well again.
        is_counted: whether the server was blamed for it already.
    """

    started_s: float
    timeout_s: float
    is_trial: bool
    is_counted: bool = False


class Endpoint:
    """A server, its connection, and what is known of it.

    Args:
        pool: that it is part of.
        address: `host:port`.
        backend: the connection.

    Attributes:
        catalog: what it served at the last look that succeeded.
        last_look: None when it failed, or there was none.
        is_ready: whether the last looks found it ready.
        has_been_seen: whether a look at it has ended yet, well or not.
        is_draining: it gets nothing new, and is left when nothing is on its way any more.
        misses: looks in a row that failed.
        in_flight: requests on their way.
        turn: how often its pool has picked it, as the pool counts.
        latency: of its answers.
    """

    def __init__(self, pool: PoolName, address: str, backend: InferenceBackend) -> None:
        self.pool = pool
        self.address = address
        self.backend = backend
        self.catalog: Catalog = EMPTY_CATALOG
        self.last_look: Look | None = None
        self.is_ready = False
        self.has_been_seen = False
        self.is_draining = False
        self.misses = 0
        self.in_flight = 0
        self.turn = 0
        self.latency = Latency()
        self.breaker = Breaker()
        self._answered_s = float("-inf")

    def state(self, now_s: float) -> EndpointState:
        """Returns what it is to its pool now."""
        if self.is_draining:
            return EndpointState.DRAINING
        if not self.is_ready:
            return EndpointState.NOT_READY
        match self.breaker.state(now_s):
            case BreakerState.OPEN:
                return EndpointState.EJECTED
            case BreakerState.HALF_OPEN:
                return EndpointState.TRIAL
            case BreakerState.CLOSED:
                return EndpointState.SERVING

    def is_routable(self, now_s: float) -> bool:
        """Whether a request may be sent to it now."""
        return self.is_ready and not self.is_draining and self.breaker.has_room(now_s)

    def is_silent(self, since_s: float) -> bool:
        """Whether it has answered nobody since a time."""
        return self._answered_s < since_s

    def begin(self, now_s: float, timeout_s: float) -> Attempt:
        """Counts a request that is sent; `end` must follow."""
        self.in_flight += 1
        return Attempt(now_s, timeout_s, self.breaker.begin(now_s))

    def end(self, attempt: Attempt, now_s: float, *, has_succeeded: bool | None) -> None:
        """Counts how a request ended; see `Breaker.end`."""
        self.in_flight -= 1
        if not attempt.is_counted:
            self._judge(attempt, now_s, has_succeeded)

    def blame(self, attempt: Attempt, now_s: float) -> None:
        """Counts a request that is still on its way as failed."""
        attempt.is_counted = True
        self._judge(attempt, now_s, has_succeeded=False)

    def note_answer(self, now_s: float) -> None:
        """Hears that an answer came, an error included."""
        self._answered_s = now_s

    def note_seen(self, look: Look) -> None:
        """Hears that a look found it ready."""
        if not self.is_ready:
            # What kept requests away may be over: the next one tries.
            self.breaker.try_now()
        self.catalog, self.last_look = look.catalog, look
        self.is_ready = self.has_been_seen = True
        self.misses = 0

    def note_missed(self, *, is_final: bool) -> None:
        """Hears that a look failed.

        Args:
            is_final: whether it said so itself, or refused the connection; otherwise it was silent,
                and one that is only slow for a moment is given another look.
        """
        self.misses += 1
        self.last_look = None
        self.has_been_seen = True
        if is_final or self.misses >= MAX_MISSES:
            self.is_ready = False

    def _judge(self, attempt: Attempt, now_s: float, has_succeeded: bool | None) -> None:
        was_trial = attempt.is_trial
        self.breaker.end(now_s, is_trial=was_trial, has_succeeded=has_succeeded)
        if was_trial and has_succeeded:
            # What it took before it was ejected says nothing any more.
            self.latency = Latency()
