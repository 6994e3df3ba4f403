"""Servers that are alike: picks one for a request, and leaves out those that fail or are slow.

Balancing is by the power of two choices (Mitzenmacher 2001): of two servers at random, the one with
fewer requests on their way. Several gateways that each know only their own requests then do not all
run to the same server, as they would to the least loaded one. Envoy's LEAST_REQUEST is the same. Of
two that are equal, as most are while there is little to do, it is the one that has had fewer turns,
which evens shares out and lets a server that stood still for a moment catch up. Which two are
compared stays chance, so callers who send images and texts in turn cannot fall in step with it.

Ejection follows Envoy's outlier detection: failures in a row, or slowness against the others, never
more than a share of the pool. Beyond that share only a server that fails twice as often in a row is
left out, by its circuit breaker: then the pool is as good as gone, and the next one is asked.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from gateway.pools.endpoint import EndpointState
from gateway.pools.latency import Latency

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Sequence

    from gateway.placement import PoolName
    from gateway.pools.endpoint import Attempt, Endpoint

MAX_EJECTED_RATIO: Final = 0.5
_MAX_LAG_TURNS: Final = 8
_EJECT_FAILURES: Final = 3
_OPEN_FAILURES: Final = 6
_SLOW_FACTOR: Final = 3.0
_SLOW_MARGIN_S: Final = 0.05
_MIN_SAMPLES: Final = 10
_UNKNOWN_FAIR_S: Final = 0.25


class Pool:
    """A pool and its endpoints; who they are, `watch` decides.

    Args:
        name: of the pool.
        chance: decides which two are compared.

    Attributes:
        endpoints: all of them, those that drain included.
        latency: of all answers.
    """

    def __init__(self, name: PoolName, chance: random.Random) -> None:
        self.name = name
        self.endpoints: list[Endpoint] = []
        self.latency = Latency()
        self._chance = chance
        self._turn = 0

    def is_healthy(self, now_s: float) -> bool:
        """Whether a request could be sent to any of its servers now."""
        return any(each.is_routable(now_s) for each in self.endpoints)

    def serves(self, variant: str) -> bool:
        """Whether any of its servers had a variant at the last look."""
        return any(variant in each.catalog.variants for each in self.endpoints)

    def candidates(
        self, variant: str, now_s: float, tried: Collection[Endpoint] = ()
    ) -> Sequence[Endpoint]:
        """Returns the servers that can be asked for a variant now, other than those tried."""
        return [
            each
            for each in self.endpoints
            if variant in each.catalog.variants and each.is_routable(now_s) and each not in tried
        ]

    def pick(self, variant: str, now_s: float, tried: Collection[Endpoint] = ()) -> Endpoint | None:
        """Picks the server to ask; None when there is none."""
        candidates = self.candidates(variant, now_s, tried)
        if len(candidates) > 2:
            two = self._chance.sample(candidates, 2)
            picked = min(two, key=lambda each: (each.in_flight, self._turn_of(each)))
            picked.turn = self._turn_of(picked) + 1
            self._turn = max(self._turn, picked.turn)
            return picked
        if len(candidates) == 2 and self._chance.random() < 0.5:
            candidates = candidates[::-1]  # so that of two equals neither is always first
        return min(candidates, key=lambda each: each.in_flight, default=None)

    def _turn_of(self, endpoint: Endpoint) -> int:
        # One that is new, or was away, does not make up for all of that time.
        return max(endpoint.turn, self._turn - _MAX_LAG_TURNS)

    def patience_s(self, attempt: Attempt) -> float:
        """Returns the time after which the silence of a server is strange, in seconds.

        While nothing is known of the pool, it is half of what the attempt was given.
        """
        return self.latency.patience_s or attempt.timeout_s / 2

    def note_success(self, endpoint: Endpoint, latency_s: float, now_s: float) -> str | None:
        """Hears of an answer. Returns "latency" when its server was ejected for being slow."""
        self.latency.observe(latency_s)
        endpoint.latency.observe(latency_s)
        if self._is_slow(endpoint, now_s) and self._may_eject(endpoint, now_s):
            endpoint.breaker.trip(now_s)
            return "latency"
        return None

    def note_failure(self, endpoint: Endpoint, now_s: float) -> str | None:
        """Hears of a failure that was counted. Returns "failures" when its server was ejected."""
        failures = endpoint.breaker.failures
        if failures >= _OPEN_FAILURES or (
            failures >= _EJECT_FAILURES and self._may_eject(endpoint, now_s)
        ):
            endpoint.breaker.trip(now_s)
            return "failures"
        return None

    def is_fair(self, attempt: Attempt) -> bool:
        """Whether an attempt had as long as answers take: a caller in a hurry proves nothing."""
        return attempt.timeout_s >= (self.latency.patience_s or _UNKNOWN_FAIR_S)

    def _may_eject(self, endpoint: Endpoint, now_s: float) -> bool:
        # Whatever keeps a server away, those that are left must carry its part.
        out = sum(
            each is not endpoint and each.state(now_s) is not EndpointState.SERVING
            for each in self.endpoints
        )
        return out + 1 <= MAX_EJECTED_RATIO * len(self.endpoints)

    def _is_slow(self, endpoint: Endpoint, now_s: float) -> bool:
        if endpoint.latency.samples < _MIN_SAMPLES:
            return False
        others_s = [
            each.latency.mean_s
            for each in self.endpoints
            if each is not endpoint
            # What one that is gone took beforehand says nothing of the load that others have now.
            and each.state(now_s) is EndpointState.SERVING
            and each.latency.samples >= _MIN_SAMPLES
        ]
        if not others_s:
            return False
        usual_s = median(others_s)
        return endpoint.latency.mean_s > max(_SLOW_FACTOR * usual_s, usual_s + _SLOW_MARGIN_S)
