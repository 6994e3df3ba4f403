"""What came of one arm's requests, as numbers that can be added up over processes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway.deciding.guardrails import ArmCounts

if TYPE_CHECKING:
    from collections.abc import Mapping

_BUCKETS_PER_OCTAVE: Final = 16  # each 4.4 % wider than the one before


@dataclass(frozen=True, slots=True)
class TallyKey:
    """What is counted apart.

    Attributes:
        experiment: its name.
        revision: of what decides who gets which arm; see `routing.plan.Experiment`.
        arm: that was drawn and answered.
    """

    experiment: str
    revision: str
    arm: str


@dataclass(slots=True)
class Tally:
    """Counts of one arm.

    Attributes:
        share: of the experiment's units that the arm has.
        units: different ones that asked, as far as the process can tell; without those whose
            requests were all at fault or given up.
        failed_units: different ones that the service failed.
        answers: good ones.
        failures: requests that the service failed.
        shed: requests that were refused as a queue was full.
        latency: good answers by `bucket_of`.
    """

    share: float
    units: int = 0
    failed_units: int = 0
    answers: int = 0
    failures: int = 0
    shed: int = 0
    latency: dict[int, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Adds another one of the same arm."""
        self.units += other.units
        self.failed_units += other.failed_units
        self.answers += other.answers
        self.failures += other.failures
        self.shed += other.shed
        for bucket, count in other.latency.items():
            self.latency[bucket] = self.latency.get(bucket, 0) + count

    def copy(self) -> Tally:
        """Returns one that does not change with this one."""
        copied = Tally(self.share)
        copied.add(self)
        return copied

    def counts(self, slow_ms: float) -> ArmCounts:
        """Returns what the guardrails look at.

        Args:
            slow_ms: what is surely slower counts as slow; a bucket that this falls into does not.
        """
        first_slow = bucket_of(slow_ms) + 1
        return ArmCounts(
            answers=self.answers,
            slow=sum(count for bucket, count in self.latency.items() if bucket >= first_slow),
            failures=self.failures,
            shed=self.shed,
            failed_units=self.failed_units,
        )


def bucket_of(latency_ms: float) -> int:
    """Returns the bucket of a latency; up to 1 ms all are in the first."""
    return max(0, math.ceil(_BUCKETS_PER_OCTAVE * math.log2(max(latency_ms, 1.0))))


def quantile_ms(latency: Mapping[int, int], share: float) -> float | None:
    """Returns what a share of the latencies is at or below, at most 4.4 % too high.

    Args:
        latency: counts by `bucket_of`.
        share: 0 to 1.

    Returns:
        In milliseconds; None without any.
    """
    rank = share * sum(latency.values())
    at_or_below = 0
    for bucket in sorted(latency):
        at_or_below += latency[bucket]
        if at_or_below >= rank:
            return math.exp2(bucket / _BUCKETS_PER_OCTAVE)
    return None
