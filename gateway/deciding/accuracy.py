"""Is the candidate's accuracy better than the control's, worse, or worse by no more than may be?

One confidence sequence of the difference answers all of these, at every moment, at one level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.deciding.outcomes import OutcomeSums, Stratum
from gateway.deciding.sequence import Interval, log_evidence, sequence

if TYPE_CHECKING:
    from collections.abc import Iterable


class Verdict(StrEnum):
    """What the confidence sequence says."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class AccuracyTest:
    """The comparison, now.

    Attributes:
        control: all labelled predictions of the control.
        candidate: the same of the candidate.
        difference: candidate minus control, averaged over the strata; None without both.
        variance: of the difference.
        interval: the confidence sequence of the difference.
        log_evidence: against no difference: the logarithm of the mixture likelihood ratio.
        level: probability that the sequence ever excludes the truth.
    """

    control: OutcomeSums
    candidate: OutcomeSums
    difference: float | None
    variance: float
    interval: Interval
    log_evidence: float
    level: float

    @property
    def verdict(self) -> Verdict:
        """Whether one arm is better than the other."""
        if self.interval.low > 0:
            return Verdict.BETTER
        return Verdict.WORSE if self.interval.high < 0 else Verdict.UNDECIDED

    @property
    def certain_loss(self) -> float:
        """The loss of accuracy that the candidate surely has; 0 when none is proved."""
        return max(0.0, -self.interval.high)

    @property
    def possible_loss(self) -> float:
        """The largest loss of accuracy that is still possible."""
        return max(0.0, -self.interval.low)


def compare(strata: Iterable[Stratum], *, scale: float, level: float) -> AccuracyTest:
    """Compares the arms.

    The difference is that of Mantel and Haenszel (1959): differences within strata, weighted by how
    much each can tell. One variance stands for both arms and all strata, that of the arm with the
    larger: of a small arm of which all happened to be right, its own would be near 0, and intervals
    on it are wrong in more than half of all experiments (decision 22).

    Args:
        strata: those with both arms count; the others show in the totals alone.
        scale: see `sequence.half_width`; the accepted loss is a good choice.
        level: probability that the sequence ever excludes the truth, 0 to 1.
    """
    strata = list(strata)
    control = sum((each.control for each in strata), OutcomeSums())
    candidate = sum((each.candidate for each in strata), OutcomeSums())
    unit_variance = max(control.unit_variance, candidate.unit_variance)
    total, weighted = 0.0, 0.0
    for each in strata:
        of_control, of_candidate = each.control.accuracy, each.candidate.accuracy
        if of_control is None or of_candidate is None:
            continue
        control_count = each.control.effective_count
        candidate_count = each.candidate.effective_count
        weight = control_count * candidate_count / (control_count + candidate_count)
        total += weight
        weighted += weight * (of_candidate - of_control)
    if not total:
        everything = Interval(-1.0, 1.0)
        return AccuracyTest(control, candidate, None, math.inf, everything, 0.0, level)
    # Each stratum's difference has the variance `unit_variance / weight`.
    difference, variance = weighted / total, unit_variance / total
    interval = sequence(difference, variance, scale, level)
    return AccuracyTest(
        control,
        candidate,
        difference,
        variance,
        Interval(max(-1.0, interval.low), min(1.0, interval.high)),
        log_evidence(difference, 0.0, variance, scale),
        level,
    )


def accuracy_interval(sums: OutcomeSums, *, scale: float, level: float) -> Interval:
    """Returns the confidence sequence of one arm's accuracy. Arguments as `compare`."""
    accuracy = sums.accuracy
    if accuracy is None:
        return Interval(0.0, 1.0)
    variance = sums.unit_variance / sums.effective_count
    interval = sequence(accuracy, variance, scale, level)
    return Interval(max(0.0, interval.low), min(1.0, interval.high))
