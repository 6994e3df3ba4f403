"""A service whose speed admission does not know, open-loop callers, and their own clock."""

from __future__ import annotations

import heapq
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from gateway.admission.admission import Admission
from gateway.admission.arrival import Arrival
from gateway.admission.batch_times import Batch
from gateway.admission.deadline import Deadline
from gateway.admission.forecast import WorkKind
from gateway.errors import AdmissionRefusedError, DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.admission.ticket import Ticket

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
    kept_by_client: dict[str, list[bool]] = field(default_factory=dict)
    """Whether each request was answered in time, of those that came after two seconds."""

    def note_client(self, client: str, at_s: float, *, is_kept: bool) -> None:
        if at_s > 2:
            self.kept_by_client.setdefault(client, []).append(is_kept)

    def kept_ratio(self, client: str) -> float:
        kept = self.kept_by_client[client]
        return sum(kept) / len(kept)

    def goodput_rps(self, begin_s: float, end_s: float) -> float:
        return sum(begin_s <= at_s < end_s for at_s, _ in self.in_time) / (end_s - begin_s)

    def miss_ratio(self, begin_s: float, end_s: float) -> float:
        missed = sum(begin_s <= at_s < end_s for at_s, _ in self.missed)
        return missed / max(1, missed + sum(begin_s <= at_s < end_s for at_s, _ in self.in_time))


@dataclass
class SimulatedService:
    """Servers behind one queue, each busy `service_s` with a batch, give or take a fifth.

    Attributes:
        servers: how many work side by side.
        service_s: mean time of one batch, in seconds.
        slowness: multiplies it, as a function of time.
        seed: of arrivals and service times.
        max_batch: requests that a server takes at once.
        fixed_ratio: part of a full batch's time that a batch takes however little it holds.
        has_shares: whether an answer tells its share of its batch's time, as the gateway's do, and
            not the mean time of a batch.
        has_batch_times: whether it tells the time of its batch.
        worker_shares: of each worker process before it, the part of the arrivals that it hears;
            each has an admission of its own.
    """

    servers: int
    service_s: float
    slowness: Callable[[float], float] = lambda _: 1.0
    seed: int = 0
    max_batch: int = 1
    fixed_ratio: float = 1.0
    has_shares: bool = False
    has_batch_times: bool = True
    worker_shares: Sequence[float] = (1.0,)

    @property
    def capacity_rps(self) -> float:
        return self.servers * self.max_batch / self.service_s

    def batch_s(self, size: int) -> float:
        """Mean time of a batch of `size`, in seconds."""
        part = self.fixed_ratio + (1.0 - self.fixed_ratio) * size / self.max_batch
        return self.service_s * part

    def run(
        self, rate_rps: Callable[[float], float], duration_s: float, budget_s: float = BUDGET_S
    ) -> Outcome:
        """Sends Poisson arrivals from time 0 on; deadlines are enforced as the gateway does."""
        return _Run(self, budget_s).run({"": rate_rps}, duration_s)

    def run_clients(self, rates_rps: Mapping[str, float], duration_s: float) -> Outcome:
        """The same with several clients, each at its steady rate."""
        return _Run(self, BUDGET_S).run(
            {client: partial(_steady, rate_rps) for client, rate_rps in rates_rps.items()},
            duration_s,
        )


def _steady(rate_rps: float, _: float) -> float:
    return rate_rps


@dataclass(eq=False)
class _Job:
    at_s: float
    client: str
    ticket: Ticket
    batch: Batch | None = None
    share_s: float = 0.0
    is_over: bool = False


class _Run:
    """The event loop of one run."""

    def __init__(self, service: SimulatedService, budget_s: float) -> None:
        self._service = service
        self._budget_s = budget_s
        self._now_s = 0.0
        self._chance = random.Random(service.seed)
        self._admissions = [
            Admission(
                budget_s=BUDGET_S,
                max_concurrency=100_000,
                clock=lambda: self._now_s,
                observer=SilentObserver(),
                processes=len(service.worker_shares),
            )
            for _ in service.worker_shares
        ]
        self._outcome = Outcome()
        self._queue: deque[_Job] = deque()
        self._free = service.servers
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._pushed = 0

    def run(self, rates_rps: Mapping[str, Callable[[float], float]], duration_s: float) -> Outcome:
        def arrive(client: str) -> None:
            if self._now_s < duration_s:
                pause_s = self._chance.expovariate(rates_rps[client](self._now_s))
                self._push(pause_s, partial(arrive, client))
                self._ask(client)

        for client in rates_rps:
            self._push(0.0, partial(arrive, client))
        while self._events:
            self._now_s, _, happen = heapq.heappop(self._events)
            happen()
        assert [each.count for each in self._admissions] == [0] * len(self._admissions)
        return self._outcome

    def _push(self, after_s: float, happen: Callable[[], None]) -> None:
        self._pushed += 1
        heapq.heappush(self._events, (self._now_s + after_s, self._pushed, happen))

    def _ask(self, client: str) -> None:
        deadline = Deadline(self._now_s, self._budget_s)
        admission = self._admissions[0]
        if len(self._admissions) > 1:
            (admission,) = self._chance.choices(self._admissions, self._service.worker_shares)
        try:
            ticket = admission.admit(Arrival(deadline, client=client))
        except AdmissionRefusedError as error:
            self._outcome.refused.append((self._now_s, error.retry_after_ms))
            self._outcome.note_client(client, self._now_s, is_kept=False)
            return
        ticket.start([KIND])
        job = _Job(self._now_s, client, ticket)
        self._queue.append(job)
        self._push(self._budget_s, partial(self._end, job))
        limit = sum(each.limit for each in self._admissions)
        self._outcome.limits.append((self._now_s, limit))
        self._begin_next()

    def _begin_next(self) -> None:
        while self._free and self._queue:
            batch: list[_Job] = []
            while self._queue and len(batch) < self._service.max_batch:
                job = self._queue.popleft()
                if not job.is_over:  # else it was cancelled while it waited
                    batch.append(job)
            if batch:
                self._free -= 1
                mean_s = self._service.batch_s(len(batch)) * self._service.slowness(self._now_s)
                batch_s = mean_s * self._chance.uniform(0.8, 1.2)
                for job in batch:
                    job.batch, job.share_s = Batch(batch_s, len(batch)), batch_s / len(batch)
                self._push(batch_s, partial(self._done, batch))

    def _done(self, batch: list[_Job]) -> None:
        self._free += 1
        for job in batch:
            self._end(job)
        self._begin_next()

    def _end(self, job: _Job) -> None:
        if job.is_over:
            return
        job.is_over = True
        latency_s = self._now_s - job.at_s
        is_kept = latency_s < self._budget_s
        self._outcome.note_client(job.client, job.at_s, is_kept=is_kept)
        if is_kept:
            with job.ticket:
                of = self._service
                service_s = job.share_s if of.has_shares else of.service_s
                told = job.batch if of.has_batch_times else None
                job.ticket.learn(KIND, service_s, latency_s, told)
            self._outcome.in_time.append((job.at_s, latency_s))
        else:
            with suppress(DeadlineExceededError), job.ticket:
                raise DeadlineExceededError
            self._outcome.missed.append((job.at_s, latency_s))
