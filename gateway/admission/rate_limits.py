"""Rate limits of single callers: one token bucket each.

A token bucket (Turner, New Directions in Communications, 1986) fills at the caller's rate up to its
burst, and each classification takes one token out. A batch is let in while there is one token, and
takes the others when its items are known: the bucket may go below zero, and later requests wait.
What admission refuses takes none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.admission.arrival import Priority, Reason
from gateway.errors import AdmissionRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.admission.admission import AdmissionObserver
    from gateway.identity.principal import Principal, RateLimit

_MAX_BUCKETS: Final = 4096


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class RateLimits:
    """The buckets of all callers that have a limit.

    Args:
        clock: reads seconds, as `time.perf_counter` does.
        observer: is shown refusals.
        processes: that serve side by side; each gives a caller an equal part of its rate, as each
            hears an equal part of its requests.
    """

    def __init__(
        self, clock: Callable[[], float], observer: AdmissionObserver, processes: int = 1
    ) -> None:
        self._clock = clock
        self._observer = observer
        self._processes = processes
        self._buckets: dict[str, _Bucket] = {}

    def check(self, caller: Principal, priority: Priority) -> None:
        """Lets a caller pass who may ask now.

        Raises:
            AdmissionRefusedError: its rate is used up; says when it is not.
        """
        limit = caller.rate_limit
        if limit is None:
            return
        missing = 1.0 - self._filled(caller.key_id, limit).tokens
        if missing <= 0:
            return
        self._observer.count_refusal(Reason.RATE, priority)
        raise AdmissionRefusedError(
            Reason.RATE,
            f"The API key {caller.key_id} may classify {limit.rate_rps:g} times a second, and "
            f"{limit.burst:g} times at once after a pause. Nothing was done; send the request "
            "again after retry_after_ms.",
            retry_after_ms=max(1, math.ceil(1000 * missing / self._rate_rps(limit))),
        )

    def take(self, caller: Principal, count: int = 1) -> None:
        """Takes the tokens of classifications that were let in."""
        if caller.rate_limit is not None:
            self._filled(caller.key_id, caller.rate_limit).tokens -= count

    def _filled(self, key_id: str, limit: RateLimit) -> _Bucket:
        now_s = self._clock()
        most = max(1.0, limit.burst / self._processes)
        bucket = self._buckets.get(key_id)
        if bucket is None:
            if len(self._buckets) >= _MAX_BUCKETS:
                self._drop_oldest()
            bucket = self._buckets[key_id] = _Bucket(most, now_s)
        gained = (now_s - bucket.at_s) * self._rate_rps(limit)
        bucket.tokens = min(most, bucket.tokens + gained)
        bucket.at_s = now_s
        return bucket

    def _rate_rps(self, limit: RateLimit) -> float:
        return limit.rate_rps / self._processes

    def _drop_oldest(self) -> None:
        """Drops the half that was not used for longest; most of these are full again."""
        by_use = sorted(self._buckets.items(), key=lambda each: each[1].at_s)
        self._buckets = dict(by_use[len(by_use) // 2 :])
