"""How the time of a batch grows with what is in it: a line, fitted to the batches of late."""

from __future__ import annotations

import math
from typing import Final

from gateway.value import value

_MEMORY_S: Final = 10.0
_LEAST_SPREAD: Final = 0.1  # of the mean size: where sizes differ by less, they tell no slope


@value
class Batch:
    """The batch in which an answer was computed.

    Attributes:
        time_s: how long it was computed, in seconds.
        size: requests in it, of whatever process.
    """

    time_s: float
    size: int


class BatchTimes:
    """Fits `time = fixed + slope * size` by least squares. Pure: time is handed in.

    Old batches are forgotten exponentially. What sizes that hardly differ leave open is taken for
    fixed (ridge regression), which is the more careful guess: it asks for whole batches.
    """

    def __init__(self) -> None:
        self._weight = 0.0
        self._size = 0.0
        self._time_s = 0.0
        self._variance = 0.0
        self._covariance = 0.0
        self._heard_s = 0.0

    def observe(self, batch: Batch, now_s: float) -> None:
        """Hears of the batch of one answer."""
        self._weight = 1.0 + self._weight * math.exp((self._heard_s - now_s) / _MEMORY_S)
        self._heard_s = now_s
        part = 1.0 / self._weight
        more, longer_s = batch.size - self._size, batch.time_s - self._time_s
        self._size += part * more
        self._time_s += part * longer_s
        self._variance = (1.0 - part) * (self._variance + part * more * more)
        self._covariance = (1.0 - part) * (self._covariance + part * more * longer_s)

    @property
    def _slope_s(self) -> float:
        """Seconds that one more in a batch takes; 0 while nothing is known."""
        if self._weight == 0.0:
            return 0.0
        return max(0.0, self._covariance / (self._variance + (_LEAST_SPREAD * self._size) ** 2))

    def worthwhile_size(self, wanted_s: float) -> float:
        """Returns how many in a batch are worth the time that it takes; infinite where all are.

        As many as make half of its time variable: there throughput over time is greatest
        (Kleinrock's power), and with fewer each place that is given up costs more throughput than
        it gains time. More where they still take no longer than the wanted time.

        Args:
            wanted_s: time of a batch, in seconds.
        """
        slope_s = self._slope_s
        if slope_s == 0.0:
            return math.inf
        fixed_s = max(0.0, self._time_s - slope_s * self._size)
        return max(fixed_s, wanted_s - fixed_s) / slope_s
