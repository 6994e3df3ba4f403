"""What labelled predictions say of an arm, as sums: all that the tests need of them.

Sums can be added up over strata, corrected when a label is corrected, and made in SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE_BINS: Final = 15
"""Bins of confidence, of equal width, by which calibration is judged."""


@dataclass(frozen=True, slots=True)
class OutcomeSums:
    """Sums over the labelled predictions of one arm.

    A prediction counts with its weight: one over the probability that it was to be labelled. Units
    (users) may have several: `a` is a unit's weight of right ones and `b` its weight of all.

    Attributes:
        count: labelled predictions.
        units: different units among them; where there is none, each prediction is one.
        weight: of all predictions.
        squared_weight: sum of the squares of the predictions' weights.
        correct_weight: of those that were right.
        aa: sum over the units of `a * a`.
        ab: sum over the units of `a * b`.
        bb: sum over the units of `b * b`.
    """

    count: int = 0
    units: int = 0
    weight: float = 0.0
    squared_weight: float = 0.0
    correct_weight: float = 0.0
    aa: float = 0.0
    ab: float = 0.0
    bb: float = 0.0

    @classmethod
    def of_counts(cls, correct: int, count: int) -> OutcomeSums:
        """Sums of predictions that all weigh 1 and are of different units."""
        return cls(
            count=count,
            units=count,
            weight=count,
            squared_weight=count,
            correct_weight=correct,
            aa=correct,
            ab=correct,
            bb=count,
        )

    def __add__(self, other: OutcomeSums) -> OutcomeSums:
        return OutcomeSums(
            self.count + other.count,
            self.units + other.units,
            self.weight + other.weight,
            self.squared_weight + other.squared_weight,
            self.correct_weight + other.correct_weight,
            self.aa + other.aa,
            self.ab + other.ab,
            self.bb + other.bb,
        )

    @property
    def accuracy(self) -> float | None:
        """The Hájek estimate: weight of the right ones over the weight of all."""
        return self.correct_weight / self.weight if self.weight else None

    @property
    def effective_count(self) -> float:
        """Equally weighted predictions that would say as much (Kish 1965)."""
        return self.weight**2 / self.squared_weight if self.squared_weight else 0.0

    @property
    def unit_variance(self) -> float:
        """Variance of the accuracy, times `effective_count`.

        The larger of two. That of a coin of this accuracy, with one right and one wrong one added
        (Agresti and Caffo 2000): ten right ones of ten do not prove that none can be wrong. And the
        linearised one of a ratio over units (Rao and Scott 1992), which is larger where a unit's
        predictions are right or wrong together, or weights and rightness go together.
        """
        if not self.weight:
            return 0.25
        one = self.weight / self.count
        near = (self.correct_weight + one) / (self.weight + 2 * one)
        coin = near * (1 - near)
        if self.units < 2:
            return max(coin, 0.25)
        squares = self.aa - 2 * near * self.ab + near**2 * self.bb
        small_sample = self.units / (self.units - 1)
        linearised = small_sample * squares / self.weight**2 * self.effective_count
        return max(coin, linearised)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Labelled predictions made while nothing but chance decided the arm, in stable shares.

    A day of one step of a ramp. Arms are compared within strata alone: when shares change while
    accuracy drifts, pooled figures would hold the drift against an arm (Simpson's paradox).
    """

    control: OutcomeSums
    candidate: OutcomeSums


@dataclass(frozen=True, slots=True)
class ConfidenceBins:
    """Labelled predictions of one arm by how sure it was, one number a bin.

    Attributes:
        weights: of the predictions of each bin; shape (bins,).
        squared_weights: sums of squares of weights; shape (bins,).
        gaps: sums of weight times confidence, less the weights of the right ones; shape (bins,).
    """

    weights: tuple[float, ...]
    squared_weights: tuple[float, ...]
    gaps: tuple[float, ...]

    @classmethod
    def of_predictions(
        cls,
        confidences: NDArray[np.float64],
        is_correct: NDArray[np.bool_],
        weights: NDArray[np.float64] | None = None,
    ) -> ConfidenceBins:
        """Sorts predictions into bins.

        Args:
            confidences: of the predicted label, 0 to 1; shape (predictions,).
            is_correct: shape (predictions,).
            weights: shape (predictions,); None: all 1.
        """
        used = np.ones(len(confidences)) if weights is None else weights
        bins = np.minimum(confidences * CONFIDENCE_BINS, CONFIDENCE_BINS - 1).astype(np.int64)
        gaps = used * (confidences - is_correct)
        return cls(
            tuple(np.bincount(bins, used, CONFIDENCE_BINS).tolist()),
            tuple(np.bincount(bins, used**2, CONFIDENCE_BINS).tolist()),
            tuple(np.bincount(bins, gaps, CONFIDENCE_BINS).tolist()),
        )
