"""How many requests may be sent a second time: a share of those that came.

Without it, retries multiply the load of servers that fail because they are overloaded. The method
is that of Finagle's `RetryBudget` (each request pays a fifth of a retry in, what is not spent is
forgotten after ten seconds, and a few a second are free); Envoy's default is the same fifth.
"""

from __future__ import annotations

import math
from typing import Final

RETRY_RATIO: Final = 0.2
_MEMORY_S: Final = 10.0
_FREE_PER_S: Final = 1.0
_MAX_FREE: Final = 10.0  # so that a service with little traffic can retry too


class RetryBudget:
    """The account of one process. Pure: time is handed in."""

    def __init__(self) -> None:
        self._paid = 0.0
        self._free = _MAX_FREE
        self._at_s: float | None = None

    def deposit(self, now_s: float) -> None:
        """Hears of a request, sent for the first time."""
        self._advance(now_s)
        self._paid += RETRY_RATIO

    def withdraw(self, now_s: float) -> bool:
        """Pays for one retry. Returns whether there was enough."""
        self._advance(now_s)
        if self._paid >= 1.0:
            self._paid -= 1.0
        elif self._free >= 1.0:
            self._free -= 1.0
        else:
            return False
        return True

    def _advance(self, now_s: float) -> None:
        elapsed_s = 0.0 if self._at_s is None else max(0.0, now_s - self._at_s)
        self._paid *= math.exp(-elapsed_s / _MEMORY_S)
        self._free = min(_MAX_FREE, self._free + _FREE_PER_S * elapsed_s)
        self._at_s = now_s
