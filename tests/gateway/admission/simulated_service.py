"""A service whose speed admission does not know, open-loop callers, and their own clock."""

from __future__ import annotations

import heapq
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from gateway.admission.admission import Admission, Ticket
from gateway.admission.arrival import Arrival
from gateway.admission.deadline import Deadline
from gateway.admission.forecast import WorkKind
from gateway.errors import AdmissionRefusedError, DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = WorkKind("demo", "both")
BUDGET_S = 0.5


class SilentObserver:
    def set_in_flight(self, count: int) -> None:
        self.count = count

    def set_concurrency_limit(self, limit: int) -> None:
        self.limit = limit

    def count_refusal(self, reason: str, priority: str) -> None:
        self.reason = reason


@dataclass
class Outcome:
    """What became of the arrivals of one run; each entry is (arrival, value), in seconds."""

    in_time: list[tuple[float, float]] = field(default_factory=list)
    missed: list[tuple[float, float]] = field(default_factory=list)
    refused: list[tuple[float, int]] = field(default_factory=list)
    limits: list[tuple[float, int]] = field(default_factory=list)

    def goodput_rps(self, begin_s: float, end_s: float) -> float:
        return sum(begin_s <= at_s < end_s for at_s, _ in self.in_time) / (end_s - begin_s)

    def miss_ratio(self, begin_s: float, end_s: float) -> float:
        missed = sum(begin_s <= at_s < end_s for at_s, _ in self.missed)
        return missed / max(1, missed + sum(begin_s <= at_s < end_s for at_s, _ in self.in_time))


@dataclass
class SimulatedService:
    """Servers behind one queue, each busy `service_s` with a request, give or take a fifth.

    Attributes:
        servers: how many work side by side.
        service_s: mean time of one request, in seconds.
        slowness: multiplies it, as a function of time.
        seed: of arrivals and service times.
    """

    servers: int
    service_s: float
    slowness: Callable[[float], float] = lambda _: 1.0
    seed: int = 0

    @property
    def capacity_rps(self) -> float:
        return self.servers / self.service_s

    def run(
        self, rate_rps: Callable[[float], float], duration_s: float, budget_s: float = BUDGET_S
    ) -> Outcome:
        """Sends Poisson arrivals from time 0 on; deadlines are enforced as the gateway does."""
        return _Run(self, budget_s).run(rate_rps, duration_s)


@dataclass(eq=False)
class _Job:
    at_s: float
    ticket: Ticket
    is_over: bool = False


class _Run:
    """The event loop of one run."""

    def __init__(self, service: SimulatedService, budget_s: float) -> None:
        self._service = service
        self._budget_s = budget_s
        self._now_s = 0.0
        self._chance = random.Random(service.seed)
        self._admission = Admission(
            budget_s=BUDGET_S,
            max_concurrency=100_000,
            clock=lambda: self._now_s,
            observer=SilentObserver(),
        )
        self._outcome = Outcome()
        self._queue: deque[_Job] = deque()
        self._free = service.servers
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._pushed = 0

    def run(self, rate_rps: Callable[[float], float], duration_s: float) -> Outcome:
        def arrive() -> None:
            if self._now_s < duration_s:
                self._push(self._chance.expovariate(rate_rps(self._now_s)), arrive)
                self._ask()

        self._push(0.0, arrive)
        while self._events:
            self._now_s, _, happen = heapq.heappop(self._events)
            happen()
        assert self._admission.count == 0
        return self._outcome

    def _push(self, after_s: float, happen: Callable[[], None]) -> None:
        self._pushed += 1
        heapq.heappush(self._events, (self._now_s + after_s, self._pushed, happen))

    def _ask(self) -> None:
        try:
            ticket = self._admission.admit(Arrival(Deadline(self._now_s, self._budget_s)))
        except AdmissionRefusedError as error:
            self._outcome.refused.append((self._now_s, error.retry_after_ms))
            return
        ticket.start([KIND])
        job = _Job(self._now_s, ticket)
        self._queue.append(job)
        self._push(self._budget_s, partial(self._end, job))
        self._outcome.limits.append((self._now_s, self._admission.limit))
        self._begin_next()

    def _begin_next(self) -> None:
        while self._free and self._queue:
            job = self._queue.popleft()
            if not job.is_over:  # else it was cancelled while it waited
                self._free -= 1
                mean_s = self._service.service_s * self._service.slowness(self._now_s)
                self._push(mean_s * self._chance.uniform(0.8, 1.2), partial(self._done, job))

    def _done(self, job: _Job) -> None:
        self._free += 1
        self._end(job)
        self._begin_next()

    def _end(self, job: _Job) -> None:
        if job.is_over:
            return
        job.is_over = True
        latency_s = self._now_s - job.at_s
        if latency_s < self._budget_s:
            with job.ticket:
                job.ticket.learn(KIND, self._service.service_s, latency_s)
            self._outcome.in_time.append((job.at_s, latency_s))
        else:
            with suppress(DeadlineExceededError), job.ticket:
                raise DeadlineExceededError
            self._outcome.missed.append((job.at_s, latency_s))
