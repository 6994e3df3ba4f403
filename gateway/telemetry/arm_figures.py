"""Reads back what the metrics hold of an arm or a shadow, for `/v1/experiments`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Counter, Histogram, Metric
    from prometheus_client.registry import Collector


@dataclass(slots=True)
class Distribution:
    """A histogram's content.

    Attributes:
        buckets: upper bound and how many were at or below it, in order.
        total: sum of all values.
    """

    buckets: list[tuple[float, float]] = field(default_factory=list)
    total: float = 0.0

    @property
    def count(self) -> int:
        """How many values there are."""
        return int(self.buckets[-1][1]) if self.buckets else 0

    @property
    def mean(self) -> float | None:
        """Their mean, or None without any."""
        return self.total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """Returns the value that a share of all is at or below, or None without any.

        Interpolated within its bucket as Prometheus' `histogram_quantile` does; in the last, which
        has no upper bound, it is the lower one.
        """
        rank = share * self.count
        if not rank:
            return None
        low, below = 0.0, 0.0
        for bound, at_or_below in self.buckets:
            if at_or_below >= rank:
                if math.isinf(bound):
                    return low
                return low + (bound - low) * (rank - below) / (at_or_below - below)
            low, below = bound, at_or_below
        return low


def read_counter(counter: Counter) -> dict[tuple[str, ...], float]:
    """Returns the value of each child, by its label values in their order."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in _collected(counter)
        for sample in family.samples
        if sample.name.endswith("_total")
    }


def read_histogram(histogram: Histogram) -> dict[tuple[str, ...], Distribution]:
    """Returns the content of each child, by its label values in their order."""
    found: dict[tuple[str, ...], Distribution] = {}
    for family in _collected(histogram):
        for sample in family.samples:
            labels = dict(sample.labels)
            bound = labels.pop("le", None)
            distribution = found.setdefault(tuple(labels.values()), Distribution())
            if bound is not None:
                distribution.buckets.append((float(bound), sample.value))
            elif sample.name.endswith("_sum"):
                distribution.total = sample.value
    return found


def _collected(collector: Collector) -> Iterable[Metric]:
    return collector.collect()
