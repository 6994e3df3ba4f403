"""How long a server takes of late, and how long to wait before doubting it.

Smoothed mean and deviation with the gains of TCP's retransmission timer (Jacobson 1988; RFC 6298).
"""

from __future__ import annotations

from typing import Final

_MEAN_GAIN: Final = 1 / 8
_DEVIATION_GAIN: Final = 1 / 4
_PATIENCE_DEVIATIONS: Final = 4.0
_MIN_PATIENCE_S: Final = 0.05  # a busy event loop alone can take that long


class Latency:
    """Of one server or of a pool. Nothing is known before the first answer."""

    def __init__(self) -> None:
        self.samples = 0
        self._mean_s = 0.0
        self._deviation_s = 0.0

    def observe(self, latency_s: float) -> None:
        """Hears of one answer."""
        if self.samples == 0:
            self._mean_s, self._deviation_s = latency_s, latency_s / 2
        else:
            error_s = abs(latency_s - self._mean_s)
            self._deviation_s += _DEVIATION_GAIN * (error_s - self._deviation_s)
            self._mean_s += _MEAN_GAIN * (latency_s - self._mean_s)
        self.samples += 1

    @property
    def mean_s(self) -> float:
        """The usual time from call to answer, in seconds; 0 while nothing is known."""
        return self._mean_s

    @property
    def cautious_s(self) -> float:
        """What another try should be given, in seconds: most answers come within it."""
        return self._mean_s + self._deviation_s

    @property
    def patience_s(self) -> float | None:
        """The time after which silence is strange, in seconds; None while nothing is known."""
        if self.samples == 0:
            return None
        return max(_MIN_PATIENCE_S, self._mean_s + _PATIENCE_DEVIATIONS * self._deviation_s)
