"""How much the backend takes at once, how long it has it, and when answers come next.

To a queue of short works a forecast by rate is right, and latency says how long the queue is. A
backend that takes 32 requests for 200 ms and then gives 32 answers is another thing. Its rate falls
to what half-full batches did, whoever made them half full, and its latency is two batches however
few are inside. So where answers come in steps that are long before the deadline, whole batches are
counted instead (decision 32):

- What it takes at once is what it delivers within one batch's time: the bandwidth-delay product of
  BBR (Cardwell et al., BBR: Congestion-Based Congestion Control, ACM Queue 14, 2016). As there, a
  sample counts as a measure of capacity only when more was waiting than was taken; others may
  raise the estimate and never lower it, and when none came for long a little more is let in to see.
- A missed deadline lowers it by a tenth, once a batch: multiplicative decrease, as on a loss
  (Chiu and Jain, Analysis of the increase and decrease algorithms, 1989).
- Where smaller batches take less time, no more is let in than is worth the time (`batch_times`).
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from gateway.admission.batch_times import BatchTimes
from gateway.admission.limit import TARGET_RATIO

if TYPE_CHECKING:
    from gateway.admission.batch_times import Batch

_SPREAD: Final = 1.3  # so near to two batches a limit by latency hardly rises above one
_BATCHES_INSIDE: Final = 2.0  # one taken part in and one waiting: BBR's gain of the window
_IN_TIME_RATIO: Final = 0.6  # of the budget: two batches that take no more need not be smaller
_MEMORY_S: Final = 1.0  # of the time of a batch
_ROUND_RATIO: Final = 0.6  # of a batch: answers closer together are of the same batches
_FULL_ROUNDS: Final = 5  # of which capacity is the mean
_RISING_ROUNDS: Final = 3  # whose mean may raise it
_LEFT_OVER_RATIO: Final = 1.3  # batches that only those wait for who found no room in the first
_DECREASE: Final = 0.9
_STARTUP_GAIN: Final = 2.0  # while no full batch was seen
_PROBE_GAIN: Final = 1.1
_PROBE_AFTER_S: Final = 5.0
_SHARE_SMOOTHING: Final = 0.1


class Batches:
    """Learns from answers that come with the time of their batch. Pure: time is handed in.

    Args:
        budget_s: the service's own deadline, in seconds.
    """

    def __init__(self, budget_s: float) -> None:
        self._budget_s = budget_s
        self._wanted_s = TARGET_RATIO * budget_s
        self._times = BatchTimes()
        self._batch_size = 1  # of the last answer
        self._own_share = 1.0  # of a batch; the rest is other processes'
        self._batch_s: float | None = None
        self._pause_s = 0.0
        self._heard_s = 0.0
        self._quiet_since_s = 0.0
        self._in_service = 0.0
        self._capacity = 1.0
        self._measured_s = -math.inf  # when capacity was measured, not only reached
        self._recent: deque[float] = deque()  # times of the answers of one round
        self._round_s = 0.0
        self._count = 0  # most answers within one round, of this one so far
        self._counts: deque[int] = deque(maxlen=_RISING_ROUNDS)
        self._full_counts: deque[int] = deque(maxlen=_FULL_ROUNDS)
        self._has_left_over = False
        self._has_missed = False

    def wake(self, now_s: float) -> None:
        """Hears that the first request comes into an empty service."""
        self._quiet_since_s = now_s

    def learn(
        self,
        batch: Batch,
        latency_s: float,
        pause_s: float,
        others: int,
        now_s: float,
    ) -> None:
        """Hears of one answer.

        Args:
            batch: what it was computed in.
            latency_s: how long it was in the backend.
            pause_s: the longest pause between answers, of late.
            others: requests that are still inside.
            now_s: now.
        """
        forgotten = 1.0 - math.exp((self._heard_s - now_s) / _MEMORY_S)
        if self._batch_s is None:
            self._batch_s, self._pause_s = batch.time_s, pause_s
        self._batch_s += forgotten * (batch.time_s - self._batch_s)
        # Of late, not the longest: on a busy machine a single pause says nothing.
        self._pause_s += forgotten * (min(pause_s, self._batch_s) - self._pause_s)
        self._times.observe(batch, now_s)
        self._heard_s = self._quiet_since_s = now_s
        if now_s - self._round_s >= _ROUND_RATIO * self._batch_s:
            self._begin_round(now_s)
        self._recent.append(now_s)
        while self._recent[0] < now_s - _ROUND_RATIO * batch.time_s:
            self._recent.popleft()
        self._count = max(self._count, len(self._recent))
        self._batch_size = batch.size
        if latency_s - batch.time_s > _LEFT_OVER_RATIO * self._batch_s:
            self._note_left_over(now_s)
        self._in_service = min(self._size(), others)

    def miss(self, now_s: float) -> None:
        """Hears that a request missed its deadline."""
        if not self._has_missed:
            self._has_missed = True
            self._capacity = max(1.0, _DECREASE * self._capacity)
            self._measured_s = now_s

    def _begin_round(self, now_s: float) -> None:
        if self._count:
            self._counts.append(self._count)
            own_share = min(1.0, self._count / self._batch_size)
            self._own_share += _SHARE_SMOOTHING * (own_share - self._own_share)
            self._capacity = max(self._capacity, sum(self._counts) / len(self._counts))
        self._round_s, self._count = now_s, 0
        self._has_left_over = self._has_missed = False

    def _note_left_over(self, now_s: float) -> None:
        """Hears that the batch before this one was full: it left a request behind."""
        if self._has_left_over or not self._counts:
            return
        self._has_left_over = True
        self._full_counts.append(self._counts[-1])
        self._capacity = max(1.0, sum(self._full_counts) / len(self._full_counts))
        self._measured_s = now_s

    def _size(self) -> float:
        """Requests that are taken at once, and a little more where that is not measured."""
        if self._heard_s - self._measured_s < _PROBE_AFTER_S:
            return self._capacity
        is_new = self._measured_s == -math.inf
        return self._capacity * (_STARTUP_GAIN if is_new else _PROBE_GAIN)

    @property
    def is_long(self) -> bool:
        """Whether two batches, give or take, are longer than the slowest tenth should wait."""
        if self._batch_s is None:
            return False
        return _BATCHES_INSIDE * _SPREAD * min(self._pause_s, self._batch_s) > self._wanted_s

    @property
    def limit(self) -> float | None:
        """Most requests inside: two batches; None where they are short.

        Full ones, or as many as are worth their time where smaller ones take less.
        """
        if self._batch_s is None or not self.is_long:
            return None
        in_time_s = _IN_TIME_RATIO * self._budget_s / _BATCHES_INSIDE
        enough = self._own_share * self._times.worthwhile_size(in_time_s)
        inside = max(_BATCHES_INSIDE, self._wanted_s / self._batch_s)
        return inside * max(1.0, min(self._size(), enough))

    def finish_s(self, inside: int, now_s: float) -> float:
        """Predicts the time until one more would be answered, in seconds.

        The next answers come at the end of the usual pause; when they are late, as much later
        again. Then it is taken, or waits for as many batches as are filled by those before it.

        Args:
            inside: requests in the backend, at least one.
            now_s: now.
        """
        if self._batch_s is None:
            return 0.0
        pause_s = max(self._pause_s, 1e-6)
        per_pause = max(1.0, self._size() * pause_s / self._batch_s)
        waiting = max(0.0, inside - self._in_service)
        next_s = abs(pause_s - (now_s - self._quiet_since_s))
        return next_s + self._batch_s + pause_s * math.floor(waiting / per_pause)
