"""The adaptive bound on requests in flight: as many as are still answered well within the budget.

The method is the gradient of Netflix' concurrency-limits (Gradient2Limit: `limit * clamp(wanted
latency / measured latency)`, window by window, held while the limit is not reached). There the
wanted latency is that of the unloaded service, which keeps queues short; here it is a share of the
deadline, so by Little's law (latency = in flight / rate) the limit settles at `rate * wanted
latency` for a model and a machine of any speed.

A service may need more than that share however few are inside: batches that take 180 ms, of which a
request waits for one and is in the next. There a lower limit takes throughput and gives nothing.
`batches` holds the limit of those whose answers tell the time of their batch. For others, where a
limit of half the height has left the latency as it was, more of the budget is wanted for a while
(decision 25).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TARGET_RATIO: Final = 0.5
"""Share of the budget at which the slowest tenth may be answered.

The rest is for what a limit cannot foresee: bodies that still arrive, the time in which a service
that has become slower is still working on what was let in before, and a busy machine's batches, of
which the slowest hundredth takes half as long again as the slowest tenth (decision 34).
"""

_INITIAL_LIMIT: Final = 16.0  # a first guess, gone after the first windows under load
_QUANTILE: Final = 0.9
_MIN_SAMPLES: Final = 10
_FEW_SAMPLES: Final = 3  # of a service so slow that ten would take for ever
_MAX_WINDOW_TARGETS: Final = 2.0
_MIN_GRADIENT: Final = 0.5
_MAX_GRADIENT: Final = 1.5
_BOUND_RATIO: Final = 0.9

_TOLERABLE_RATIO: Final = 0.88  # of the budget, where a lower limit does not help
_TOLERANCE_S: Final = 60.0
_DESCENT_S: Final = 10.0  # in which a service that becomes slower by itself is seldom taken for one
_DESCENT_RATIO: Final = 0.5
_FUTILE_RATIO: Final = 0.7  # of the latency, that is left at half the limit; of a queue: 0.5


@dataclass(frozen=True, slots=True)
class _Descent:
    """Where the limit began to fall."""

    limit: float
    latency_s: float
    at_s: float


class GradientLimit:
    """Learns from the latencies of requests that were let in. Pure: time is handed in.

    Args:
        budget_s: the service's own deadline, in seconds.
        max_limit: the limit never grows above it.
        processes: that share both the bound and the first guess in equal parts.
    """

    def __init__(self, budget_s: float, max_limit: int, processes: int = 1) -> None:
        self._target_s = TARGET_RATIO * budget_s
        self._max_limit = max_limit / processes
        self._limit = min(_INITIAL_LIMIT / processes, self._max_limit)
        self._wanted_s = self._target_s
        self._tolerable_s = _TOLERABLE_RATIO * budget_s
        self._tolerates_until_s = 0.0
        self._descent: _Descent | None = None
        self._begun_s = 0.0
        self._samples: list[float] = []
        self._peak = 0

    @property
    def limit(self) -> int:
        """Most requests in flight, at least 1."""
        return max(1, int(self._limit))

    def note_in_flight(self, in_flight: int) -> None:
        """Hears how many are inside, a request that is refused for it included."""
        self._peak = max(self._peak, in_flight)

    def observe(
        self, latency_s: float, admitted_s: float, now_s: float, held: float | None = None
    ) -> None:
        """Hears of one request that has ended.

        Args:
            latency_s: how long the backend took; of one that missed its deadline, how long it had.
            admitted_s: when it was let in. What was let in under an earlier limit says nothing of
                this one.
            now_s: now.
            held: where the limit must be, whatever the latencies; None: where they say. `Batches`
                holds it while two of them need more than the wanted latency.
        """
        if held is not None:
            self._limit = min(self._max_limit, max(1.0, held))
            self._begin_window(now_s)
            return
        if admitted_s < self._begun_s:
            return
        self._samples.append(latency_s)
        is_long = now_s - self._begun_s > _MAX_WINDOW_TARGETS * self._target_s
        if len(self._samples) >= (_FEW_SAMPLES if is_long else _MIN_SAMPLES):
            self._adapt(now_s)
            self._begin_window(now_s)

    def _adapt(self, now_s: float) -> None:
        latency_s = sorted(self._samples)[int(_QUANTILE * (len(self._samples) - 1))]
        if now_s >= self._tolerates_until_s:
            self._wanted_s = self._target_s
            if self._is_futile(latency_s, now_s):
                self._wanted_s = self._tolerable_s
                self._tolerates_until_s = now_s + _TOLERANCE_S
        gradient = self._wanted_s / max(latency_s, 1e-6)
        if gradient < 1.0:
            # From what was really inside: an unused limit would have to fall for many windows.
            base = min(self._limit, max(1.0, self._peak))
            self._limit = max(1.0, base * max(_MIN_GRADIENT, gradient))
        elif self._peak >= _BOUND_RATIO * self.limit:
            # The root, because a window holds few samples: up at half the speed of down. But what a
            # futile descent took away is given back quickly.
            growth = gradient if self._wanted_s > self._target_s else gradient**0.5
            self._limit = min(self._max_limit, self._limit * min(_MAX_GRADIENT, growth))

    def _is_futile(self, latency_s: float, now_s: float) -> bool:
        """Whether a limit of half the height has left the latency as it was."""
        if latency_s > self._tolerable_s:  # cut off by deadlines: how high it is, nobody knows
            self._descent = None
            return False
        begin = self._descent
        if begin is None or self._limit >= begin.limit or now_s - begin.at_s > _DESCENT_S:
            self._descent = _Descent(self._limit, latency_s, now_s)
            return False
        is_low = self._limit <= _DESCENT_RATIO * begin.limit
        return is_low and latency_s > _FUTILE_RATIO * max(begin.latency_s, self._target_s)

    def _begin_window(self, now_s: float) -> None:
        self._begun_s = now_s
        self._samples = []
        self._peak = 0
