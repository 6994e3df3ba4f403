"""Confidence sequences: intervals that hold at every moment at once, however often one looks.

Robbins' normal mixture (1970) over an estimate and its variance, which is the mixture SPRT of
Johari et al. ("Always Valid Inference", 2022) and, with an estimated variance, the asymptotic
confidence sequence of Waudby-Smith et al. ("Time-uniform central limit theory and asymptotic
confidence sequences", 2024). An ordinary interval of 95 % that is looked at after every label
excludes the truth sooner or later; one of these does so in at most 5 of 100 experiments, ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_NEVER: Final = math.inf


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval; the bounds may be infinite."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """Its length."""
        return self.high - self.low


def half_width(variance: float, scale: float, level: float) -> float:
    """Returns how far around an estimate its confidence sequence reaches.

    Args:
        variance: of the estimate, now.
        scale: standard deviation of the mixture, in the estimate's unit: the sequence is narrowest
            for estimates that are known about as well as this.
        level: probability that the truth is ever outside, 0 to 1.
    """
    if not math.isfinite(variance):
        return _NEVER
    if variance <= 0:
        return 0.0
    ratio = scale**2 / variance
    return math.sqrt(variance * (1 + 1 / ratio) * (math.log1p(ratio) + 2 * math.log(1 / level)))


def sequence(estimate: float, variance: float, scale: float, level: float) -> Interval:
    """Returns the confidence sequence's interval at this moment. Arguments as `half_width`."""
    reach = half_width(variance, scale, level)
    return Interval(estimate - reach, estimate + reach)


def log_evidence(estimate: float, null: float, variance: float, scale: float) -> float:
    """Returns the logarithm of the mixture likelihood ratio against a value of the truth.

    It exceeds `log(1 / level)` exactly when the value is outside of the sequence.

    Args:
        estimate: of the truth.
        null: the value.
        variance: of the estimate.
        scale: of the mixture.
    """
    if not math.isfinite(variance) or variance <= 0:
        return 0.0
    ratio = scale**2 / variance
    squared_z = (estimate - null) ** 2 / variance
    return 0.5 * (squared_z * ratio / (1 + ratio) - math.log1p(ratio))
