"""A gateway before some Tritons, simulated request by request with the gateway's own admission.

`gateway.admission.Admission` is the real code: it is handed the simulation's clock. Replicas are
chosen by the power of two choices (Mitzenmacher, 2001), as the gateway's pools do. What was inside
a replica that is lost is sent once more to another.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway.admission.admission import Admission
from gateway.admission.arrival import Arrival
from gateway.admission.forecast import WorkKind
from gateway.errors import AdmissionRefusedError
from loadtest.bench.latencies import Percentiles
from loadtest.capacity.cores import Cores
from loadtest.capacity.events import Events
from loadtest.capacity.serving import Replica
from loadtest.traffic.shapes import due_times

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.admission.ticket import Ticket
    from loadtest.capacity.profile import Profile
    from loadtest.capacity.serving import Job
    from loadtest.traffic.shapes import Diurnal, Ramp, Spike, Steady

BUDGET_S: Final = 0.5
_KIND: Final = WorkKind("variant", "both")
_MS: Final = 1000.0


class _Silent:
    """Admission shows what it does to nobody."""

    def set_in_flight(self, _count: int) -> None:
        pass

    def set_concurrency_limit(self, _limit: int) -> None:
        pass

    def count_refusal(self, _reason: str, _priority: str) -> None:
        pass


@dataclass(frozen=True)
class Loss:
    """Replicas that are gone from some time on, as with their node."""

    at_s: float
    replicas: int


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes:
        profile: of a replica.
        replicas: Tritons.
        shape: of the load.
        duration_s: of it.
        has_admission: whether the gateway refuses; without it everything is let in.
        warm_up_s: what is due before counts nowhere: the limit has to find itself.
        loss: of replicas.
        seed: the same seed gives the same run.
        max_concurrency: the gateways' bound of the adaptive limit.
        budget_s: the deadline of each request.
        due_s: when requests are due, instead of what the shape and the seed say.
        beside_cpu_ms: CPU time of gateway and client for one request, where these run on the
            profile's cores too; 0: elsewhere.
    """

    profile: Profile
    replicas: int
    shape: Steady | Ramp | Spike | Diurnal
    duration_s: float
    has_admission: bool = True
    warm_up_s: float = 0.0
    loss: Loss | None = None
    seed: int = 0
    max_concurrency: int = 100_000
    budget_s: float = BUDGET_S
    due_s: Sequence[float] | None = None
    beside_cpu_ms: float = 0.0


@dataclass
class Outcome:
    """What a run gave.

    Attributes:
        offered: requests that count.
        refused: of them, at arrival.
        late: of them, those that were let in and missed their deadline.
        latencies_ms: of those that were answered in time.
    """

    offered: int = 0
    refused: int = 0
    late: int = 0
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def latency(self) -> Percentiles:
        """Of what was answered in time."""
        return Percentiles.of(self.latencies_ms)

    @property
    def shed_ratio(self) -> float:
        """Share of requests that were refused or late."""
        return (self.refused + self.late) / max(1, self.offered)


def simulate(setting: Setting) -> Outcome:
    """Runs a setting to its end."""
    return _Run(setting).outcome()


@dataclass(slots=True)
class _Request:
    due_s: float
    ticket: Ticket | None
    sent_s: float = 0.0
    is_open: bool = True


class _Run:
    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._events = Events()
        self._chance = random.Random(setting.seed)  # noqa: S311  # reproducible, nothing secret
        self._replicas = [self._replica() for _ in range(setting.replicas)]
        # Half of what goes to gateway, server and client is before the steps, half behind them.
        profile = setting.profile
        self._half_s = (setting.beside_cpu_ms + profile.triton_cpu_ms) / 2 / _MS
        self._up = list(self._replicas)
        self._inside: dict[int, list[_Request]] = {id(each): [] for each in self._replicas}
        self._admission = Admission(
            budget_s=setting.budget_s,
            max_concurrency=setting.max_concurrency,
            clock=self._events.clock,
            observer=_Silent(),
        )
        self._outcome = Outcome()
        seed = f"arrivals {setting.seed}"
        self._arrivals = (
            due_times(setting.shape, setting.duration_s, seed)
            if setting.due_s is None
            else iter(setting.due_s)
        )

    def _replica(self) -> Replica:
        profile = self._setting.profile
        cores = profile.cores and Cores(self._events, profile.cores, self._chance, profile.slowdown)
        return Replica(profile, self._events, self._chance, cores or None)

    def outcome(self) -> Outcome:
        self._plan_next()
        if (loss := self._setting.loss) is not None:
            self._events.at(loss.at_s, lambda: self._lose(loss.replicas))
        self._events.run()
        return self._outcome

    def _plan_next(self) -> None:
        if (due_s := next(self._arrivals, None)) is not None:
            self._events.at(due_s, self._arrive)

    def _arrive(self) -> None:
        self._plan_next()
        now_s = self._events.now_s
        counts = now_s >= self._setting.warm_up_s
        self._outcome.offered += counts
        ticket = None
        if self._setting.has_admission:
            try:
                ticket = self._admission.admit(Arrival(self._admission.deadline(now_s)), _KIND)
            except AdmissionRefusedError:
                self._outcome.refused += counts
                return
            ticket.start([_KIND])
        # What is in no step lies before them: all of it, so that queues see the same arrivals.
        request = _Request(now_s, ticket)
        self._events.at(
            now_s + self._setting.profile.overhead_ms / _MS, lambda: self._send(request)
        )

    def _send(self, request: _Request) -> None:
        if not self._up:
            self._close(request, None)
            return
        some = self._chance.choices(self._up, k=2)
        replica = min(some, key=lambda each: each.in_flight)
        if self._setting.loss is not None:
            self._inside[id(replica)].append(request)
        request.sent_s = self._events.now_s

        def answered(job: Job) -> None:
            self._beside(replica, lambda: self._close(request, job))

        def enter() -> None:
            replica.enter(answered)

        self._beside(replica, enter)

    def _beside(self, replica: Replica, then: Callable[[], None]) -> None:
        """What gateway, server and client compute for a request, on one side of the steps."""
        if replica.cores is None or not self._half_s:
            then()
        else:
            replica.cores.run(self._half_s, then)

    def _close(self, request: _Request, job: Job | None) -> None:
        """Ends a request that was answered, or, without a job, was lost."""
        if not request.is_open:
            return
        request.is_open = False
        now_s = self._events.now_s
        latency_s = now_s - request.due_s
        has_missed = job is None or (
            self._setting.has_admission and latency_s > self._setting.budget_s
        )
        if request.ticket is not None:
            if job is not None and not has_missed:
                sent_s = now_s - request.sent_s
                request.ticket.learn(_KIND, job.service_s, sent_s, job.batch)
            self._admission.leave(request.ticket, has_missed=has_missed)
        if request.due_s >= self._setting.warm_up_s:
            if has_missed:
                self._outcome.late += 1
            else:
                self._outcome.latencies_ms.append(latency_s * _MS)

    def _lose(self, count: int) -> None:
        """Some replicas are gone; what was inside them goes to others."""
        gone, self._up = self._up[:count], self._up[count:]
        for replica in gone:
            replica.is_up = False
            for request in self._inside[id(replica)]:
                if request.is_open:
                    self._send(request)
