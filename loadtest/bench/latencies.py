"""Percentiles of latencies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Percentiles:
    """Of one set of latencies, in milliseconds; `count` says how many there were."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, latencies_ms: Iterable[float]) -> Self:
        """Computes them; all are NaN when there is no latency at all."""
        ordered = sorted(latencies_ms)
        if not ordered:
            return cls(0, math.nan, math.nan, math.nan)
        p50_ms, p95_ms, p99_ms = (nearest_rank(ordered, ratio) for ratio in (0.50, 0.95, 0.99))
        return cls(len(ordered), p50_ms, p95_ms, p99_ms)


def nearest_rank(ordered: Sequence[float], ratio: float) -> float:
    """Returns the smallest value that at least this share of all values does not exceed.

    The nearest-rank definition: always a value that was measured, never one in between.

    Args:
        ordered: values in ascending order, at least one.
        ratio: above 0, at most 1.
    """
    # 0.95 * 20 is a little more than 19 in binary: rounded first, or the rank would be 20.
    rank = math.ceil(round(ratio * len(ordered), 9))
    return ordered[max(rank, 1) - 1]
