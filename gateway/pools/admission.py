"""Admission with a limit and a forecast for each pool: what the first has no room for spills over.

Each pool has an `Admission` of its own, which learns from that pool's answers alone, for a CPU pool
is of another speed than a GPU pool. A request that fails over to another pool after it was let in
keeps its place in the first: such requests are few, as the retry budget bounds them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.errors import AdmissionRefusedError
from gateway.placement import Degraded, Placement

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.admission.admission import Admission, AdmissionObserver
    from gateway.admission.arrival import Arrival
    from gateway.admission.deadline import Deadline
    from gateway.admission.forecast import WorkKind
    from gateway.admission.ticket import Ticket
    from gateway.pools.fleet import Fleet
    from gateway.pools.pool import Pool
    from gateway.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class _Gate:
    pool: Pool
    admission: Admission


class PooledAdmission:
    """Lets a request into the first pool that is well and can answer it in time.

    Args:
        fleet: the pools.
        make: makes the admission of one pool, given where it shows what it does.
        metrics: is shown the sums over all pools, and the limit of each.
        clock: reads seconds, as `time.perf_counter` does.
        has_brown_out: whether requests may be let in to be answered from one of their inputs.
    """

    def __init__(
        self,
        fleet: Fleet,
        make: Callable[[AdmissionObserver], Admission],
        metrics: Metrics,
        clock: Callable[[], float],
        *,
        has_brown_out: bool,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._has_brown_out = has_brown_out
        sums = _Sums(metrics)
        self._gates = [_Gate(pool, make(_PoolObserver(pool, sums))) for pool in fleet.pools]

    @property
    def count(self) -> int:
        """Requests inside now."""
        return sum(each.admission.count for each in self._gates)

    @property
    def has_slack(self) -> bool:
        """Whether at most half of the places are taken: room for work that nobody waits for."""
        return 2 * self.count <= sum(each.admission.limit for each in self._gates)

    def deadline(self, arrived_s: float) -> Deadline:
        """Returns the service's own deadline of a request that arrived at `arrived_s`."""
        return self._gates[0].admission.deadline(arrived_s)

    def admit(self, arrival: Arrival, kind: WorkKind | None = None) -> Ticket:
        """Lets a request in, or refuses it. See `Admission.admit`.

        Returns:
            Its place; `placement` says in which pool, and why there.

        Raises:
            AdmissionRefusedError: no pool can answer it in time. It names the reason of the first.
        """
        now_s = self._clock()
        # When none is well the first one decides, and the call to it says what is wrong.
        gates = [each for each in self._gates if each.pool.is_healthy(now_s)] or self._gates[:1]
        refusals: list[AdmissionRefusedError] = []
        for gate in gates:
            try:
                ticket = gate.admission.admit(arrival, kind)
            except AdmissionRefusedError as refusal:
                refusals.append(refusal)
            else:
                ticket.placement = Placement(gate.pool.name, self._reason(gate, refusals))
                return ticket
        if self._has_brown_out and arrival.allows_degraded:
            reduced = replace(arrival, is_reduced=True)
            for gate in gates:
                try:
                    ticket = gate.admission.admit(reduced, kind)
                except AdmissionRefusedError:
                    continue
                ticket.placement = Placement(gate.pool.name, Degraded.BROWN_OUT)
                return ticket
        self._metrics.count_refusal(refusals[0].code, arrival.priority)
        soonest_ms = min(each.retry_after_ms for each in refusals)
        raise AdmissionRefusedError(refusals[0].code, retry_after_ms=soonest_ms)

    def _reason(self, gate: _Gate, refusals: list[AdmissionRefusedError]) -> Degraded | None:
        if refusals:
            return Degraded.SPILL
        return None if gate is self._gates[0] else Degraded.GPU_POOL_UNHEALTHY


class _Sums:
    """What all pools hold together."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.in_flight: dict[Pool, int] = {}
        self.limits: dict[Pool, int] = {}

    def set_in_flight(self, pool: Pool, count: int) -> None:
        self.in_flight[pool] = count
        self.metrics.set_in_flight(sum(self.in_flight.values()))

    def set_limit(self, pool: Pool, limit: int) -> None:
        if self.limits.get(pool) == limit:
            return  # told with each answer, and seldom another
        self.limits[pool] = limit
        self.metrics.pools.set_limit(pool.name, limit)
        self.metrics.set_concurrency_limit(sum(self.limits.values()))


class _PoolObserver:
    """Shows one pool's admission within the sums; a refusal counts only when all pools refuse."""

    def __init__(self, pool: Pool, sums: _Sums) -> None:
        self._pool = pool
        self._sums = sums

    def set_in_flight(self, count: int) -> None:
        self._sums.set_in_flight(self._pool, count)

    def set_concurrency_limit(self, limit: int) -> None:
        self._sums.set_limit(self._pool, limit)

    def count_refusal(self, reason: str, priority: str) -> None:
        """Leaves it to `PooledAdmission`."""
