"""The metrics of the pools; a part of `metrics.Metrics`, on the same registry.

An address is a label of gauges alone, which are taken out again: servers that are gone leave
nothing behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

from gateway.telemetry.shown_gauge import ShownGauge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.placement import Degraded, Placement, PoolName


class PoolMetrics:
    """The metrics and the few ways to move them.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "diptych_gateway_pool_answers_total",
            "Classifications answered, by the pool and by what was not as usual; `none` is usual.",
            ("pool", "degraded"),
            registry=registry,
        )
        self._retries = Counter(
            "diptych_gateway_retries_total",
            "Second tries on another server, by the pool that was left and the reason; `silence` "
            "is one that had not answered anybody.",
            ("pool", "reason"),
            registry=registry,
        )
        self._unretried = Counter(
            "diptych_gateway_retries_withheld_total",
            "Failures that were not tried again, by why: `budget`, `deadline`, `no_endpoint`.",
            ("pool", "reason"),
            registry=registry,
        )
        self._ejections = Counter(
            "diptych_gateway_endpoint_ejections_total",
            "Servers that got no requests for a while, by the cause: `failures` in a row, or "
            "`latency`.",
            ("pool", "cause"),
            registry=registry,
        )
        state = Gauge(
            "diptych_gateway_endpoint_state",
            "1 for the state of each server: `serving`, `trial`, `ejected`, `not_ready`, "
            "`draining`.",
            ("pool", "endpoint", "state"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        in_flight = Gauge(
            "diptych_gateway_endpoint_in_flight",
            "Requests on their way to each server.",
            ("pool", "endpoint"),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._is_healthy = Gauge(
            "diptych_gateway_pool_healthy",
            "1 when any server of the pool takes requests.",
            ("pool",),
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._limit = Gauge(
            "diptych_gateway_pool_concurrency_limit",
            "Most classifications in flight that admission lets into the pool at the moment.",
            ("pool",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._state, self._in_flight = ShownGauge(state), ShownGauge(in_flight)
        self._answer_children: dict[tuple[PoolName, Degraded | None], Counter] = {}

    def count_answer(self, placement: Placement) -> None:
        """Counts one answer by where it came from."""
        key = (placement.pool, placement.degraded)
        if (counter := self._answer_children.get(key)) is None:
            counter = self._answers.labels(placement.pool, placement.degraded or "none")
            self._answer_children[key] = counter
        counter.inc()

    def count_retry(self, pool: PoolName, reason: str) -> None:
        """Counts one request that was sent to another server."""
        self._retries.labels(pool, reason).inc()

    def count_withheld(self, pool: PoolName, reason: str) -> None:
        """Counts one failure that was final."""
        self._unretried.labels(pool, reason).inc()

    def count_ejection(self, pool: PoolName, cause: str) -> None:
        """Counts one server that gets nothing for a while."""
        self._ejections.labels(pool, cause).inc()

    def set_limit(self, pool: PoolName, limit: int) -> None:
        """Sets how many classifications a pool may have in flight."""
        self._limit.labels(pool).set(limit)

    def show_endpoints(self, endpoints: Iterable[tuple[str, str, str, int]]) -> None:
        """Shows all servers: pool, address, state, requests in flight."""
        shown = list(endpoints)
        self._state.show({(pool, address, state): 1 for pool, address, state, _ in shown})
        self._in_flight.show({(pool, address): count for pool, address, _, count in shown})

    def show_pool(self, pool: PoolName, *, is_healthy: bool) -> None:
        """Shows whether a pool takes requests."""
        self._is_healthy.labels(pool).set(is_healthy)
