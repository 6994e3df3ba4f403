"""Sends one item to a server, and to another one when the first fails or stays silent.

A second try needs three things: a server that was not tried, the time in which most answers come,
and a place in the retry budget. A server that fails says so, and the next is asked at once. One
that is gone says nothing (a black hole, a frozen process): when it has answered nobody for longer
than answers take, the item is sent to a second one as well, and the first answer counts (a hedged
request: Dean and Barroso, "The Tail at Scale", 2013; here under suspicion alone, so that a service
which is only slow gets no second load).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from gateway.errors import (
    BackendError,
    BackendUnavailableError,
    DeadlineExceededError,
    GatewayError,
    OverloadedError,
    VariantUnavailableError,
)
from gateway.placement import Degraded, Placement
from gateway.pools.call import Served
from gateway.pools.call_span import call_span
from gateway.pools.retry_budget import RetryBudget
from gateway.value import value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.pools.call import Call
    from gateway.pools.endpoint import Attempt, Endpoint
    from gateway.pools.fleet import Fleet
    from gateway.pools.pool import Pool
    from gateway.telemetry.pool_metrics import PoolMetrics

MAX_TRIES: Final = 3
_RETRIABLE: Final = (
    BackendUnavailableError,
    BackendError,
    OverloadedError,
    VariantUnavailableError,
)


@value
class _Route:
    pool: Pool
    endpoint: Endpoint
    degraded: Degraded | None
    attempt: int
    reason: str | None


class Dispatcher:
    """Sends items to the pools.

    Args:
        fleet: the pools.
        metrics: retries and ejections go there.
        clock: reads seconds, as `time.perf_counter` does.
    """

    def __init__(self, fleet: Fleet, metrics: PoolMetrics, clock: Callable[[], float]) -> None:
        self._fleet = fleet
        self._metrics = metrics
        self._clock = clock
        self._budget = RetryBudget()

    async def infer(self, call: Call) -> Served:
        """Runs one item.

        Raises:
            InvalidInputError: a model step refused the image or the text.
            UnavailableError: no server can take it now.
            DeadlineExceededError: its time is spent.
            BackendError: a server failed, and no other could be asked.
        """
        now_s = self._clock()
        route = self._pick(call, ())
        if route is None:
            raise self._nobody(call)
        self._budget.deposit(now_s)
        if not self._has_others(call, route.endpoint, now_s):
            return await self._ask(call, route, self._begin(call, route))
        return await self._ask_in_turn(call, route)

    def digests(self, variant: str) -> list[str]:
        """Returns the digests of a variant that may answer, each once, in a fixed order."""
        return sorted(
            {
                served.digest
                for endpoint in self._fleet.endpoints()
                if (served := endpoint.catalog.variants.get(variant)) is not None
            }
        )

    async def _ask_in_turn(self, call: Call, route: _Route) -> Served:
        tried: list[Endpoint] = []
        running: dict[asyncio.Task[Served], tuple[_Route, Attempt]] = {}
        error: GatewayError | None = None
        next_route: _Route | None = route
        try:
            while True:
                if next_route is not None:
                    route, next_route = next_route, None
                    tried.append(route.endpoint)
                    attempt = self._begin(call, route)
                    running[asyncio.create_task(self._ask(call, route, attempt))] = route, attempt
                done, _ = await asyncio.wait(
                    running,
                    timeout=self._patience_s(call, route, attempt),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    left, _ = running.pop(task)
                    try:
                        return task.result()
                    except _RETRIABLE as failure:
                        error = failure
                        next_route = self._next(call, left, tried, failure.code)
                if not done and self._is_suspect(route, attempt):
                    next_route = self._next(call, route, tried, "silence")
                if not running and next_route is None and error is not None:
                    raise error
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _begin(self, call: Call, route: _Route) -> Attempt:
        now_s = self._clock()
        left_s = call.deadline.left_s(now_s)
        if left_s <= 0:
            raise DeadlineExceededError
        return route.endpoint.begin(now_s, left_s)

    async def _ask(self, call: Call, route: _Route, attempt: Attempt) -> Served:
        pool, endpoint = route.pool, route.endpoint
        variant = endpoint.catalog.variants[call.variant]
        has_succeeded: bool | None = None
        try:
            ensemble = variant.ensembles[call.modalities]
            with call_span(
                endpoint,
                variant,
                degraded=route.degraded,
                attempt=route.attempt,
                reason=route.reason,
            ):
                outputs = await endpoint.backend.infer(
                    ensemble.model,
                    call.inputs,
                    ensemble.outputs(has_features=call.has_features),
                    timeout_s=attempt.timeout_s,
                    request_id=call.request_id,
                )
        except BackendUnavailableError:
            has_succeeded = False
            raise
        except DeadlineExceededError:
            # One that answers others is busy, and whoever allows too little time proves nothing.
            if endpoint.is_silent(attempt.started_s) and pool.is_fair(attempt):
                has_succeeded = False
            raise
        except GatewayError as error:
            endpoint.note_answer(self._clock())
            # To leave the only server out would not help: it does answer.
            if isinstance(error, BackendError) and len(pool.endpoints) > 1:
                has_succeeded = False
            raise
        else:
            has_succeeded = True
            endpoint.note_answer(self._clock())
        finally:
            self._end(route, attempt, has_succeeded=has_succeeded)
        return Served(outputs, variant, Placement(pool.name, route.degraded))

    def _end(self, route: _Route, attempt: Attempt, *, has_succeeded: bool | None) -> None:
        pool, endpoint, now_s = route.pool, route.endpoint, self._clock()
        endpoint.end(attempt, now_s, has_succeeded=has_succeeded)
        cause = None
        if has_succeeded:
            cause = pool.note_success(endpoint, now_s - attempt.started_s, now_s)
        elif has_succeeded is False:
            cause = pool.note_failure(endpoint, now_s)
        self._note_ejection(pool, cause)

    def _is_suspect(self, route: _Route, attempt: Attempt) -> bool:
        """Whether a server has been silent for too long; it is blamed for it, once."""
        now_s = self._clock()
        if not route.endpoint.is_silent(now_s - route.pool.patience_s(attempt)):
            return False
        if not attempt.is_counted:
            route.endpoint.blame(attempt, now_s)
            self._note_ejection(route.pool, route.pool.note_failure(route.endpoint, now_s))
        return True

    def _note_ejection(self, pool: Pool, cause: str | None) -> None:
        if cause is not None:
            self._metrics.count_ejection(pool.name, cause)
            self._fleet.show_states()

    def _pick(
        self, call: Call, tried: Sequence[Endpoint], reason: str | None = None
    ) -> _Route | None:
        now_s, placement = self._clock(), call.placement
        pools = self._fleet.pools
        if placement is not None:
            pools = sorted(pools, key=lambda each: each.name is not placement.pool)
        for pool in pools:
            endpoint = pool.pick(call.variant, now_s, tried)
            if endpoint is not None:
                degraded = self._degraded(call, pool, tried)
                return _Route(pool, endpoint, degraded, len(tried) + 1, reason)
        return None

    def _degraded(self, call: Call, pool: Pool, tried: Sequence[Endpoint]) -> Degraded | None:
        placement = call.placement
        if placement is not None and pool.name is placement.pool:
            return placement.degraded
        first = self._fleet.pools[0]
        if pool is not first and any(each.pool is first.name for each in tried):
            return Degraded.GPU_POOL_FAILED
        return self._fleet.reason_for(pool, call.variant)

    def _next(
        self, call: Call, left: _Route, tried: Sequence[Endpoint], reason: str
    ) -> _Route | None:
        """Returns whom to ask after a failure, or None; either way it is counted."""
        route = self._pick(call, tried, reason) if len(tried) < MAX_TRIES else None
        now_s = self._clock()
        withheld = None
        if route is None:
            withheld = "no_endpoint"
        elif call.deadline.left_s(now_s) < route.pool.latency.cautious_s:
            withheld = "deadline"
        elif not self._budget.withdraw(now_s):
            withheld = "budget"
        if withheld is not None:
            self._metrics.count_withheld(left.pool.name, withheld)
            return None
        self._metrics.count_retry(left.pool.name, reason)
        return route

    def _patience_s(self, call: Call, route: _Route, attempt: Attempt) -> float | None:
        """Returns when to doubt a server; None when that was done, or would come too late."""
        if attempt.is_counted:
            return None
        patience_s = route.pool.patience_s(attempt)
        reserve_s = route.pool.latency.cautious_s
        left_s = call.deadline.left_s(self._clock())
        return patience_s if patience_s + reserve_s < left_s else None

    def _has_others(self, call: Call, endpoint: Endpoint, now_s: float) -> bool:
        return any(pool.candidates(call.variant, now_s, (endpoint,)) for pool in self._fleet.pools)

    def _nobody(self, call: Call) -> GatewayError:
        if any(pool.serves(call.variant) for pool in self._fleet.pools):
            return BackendUnavailableError()
        return VariantUnavailableError()
