"""How good predictions are, and how honest their confidence is: plain functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.metrics import confusion_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CALIBRATION_BINS: Final = 15
_Z_95: Final = 1.959964  # two-sided 95 % quantile of the normal distribution


@dataclass(frozen=True)
class LabelScore:
    """How one label fares; ratios are 0 where nothing was predicted or nothing was there."""

    label: str
    precision: float
    recall: float
    f1: float
    examples: int


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy in equal-width bins.

    Attributes:
        confidence: mean confidence of each bin, shape (bins,); the bin's middle where it is empty.
        accuracy: share that is right, shape (bins,); 0 where the bin is empty.
        examples: number of examples, shape (bins,).
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    examples: NDArray[np.int64]

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of confidence and accuracy, weighted by examples, 0 to 1.

        Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning"; with
        15 equal-width bins as in Guo et al. 2017, "On Calibration of Modern Neural Networks".
        """
        distance = np.abs(self.confidence - self.accuracy)
        return float(distance @ self.examples / self.examples.sum())


def reliability(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], bins: int = CALIBRATION_BINS
) -> Reliability:
    """Bins examples by the confidence of their most likely label.

    Args:
        probabilities: shape (examples, labels), rows sum to 1.
        truth: index of the true label, shape (examples,).
        bins: number of bins of equal width over 0 to 1; a bin holds its upper edge.
    """
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == truth
    position = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    examples = np.bincount(position, minlength=bins)
    filled = np.maximum(examples, 1)
    middles = (np.arange(bins) + 0.5) / bins
    mean_confidence = np.bincount(position, weights=confidence, minlength=bins) / filled
    accuracy = np.bincount(position, weights=is_right, minlength=bins) / filled
    return Reliability(np.where(examples > 0, mean_confidence, middles), accuracy, examples)


def wilson_interval(right: int, examples: int) -> tuple[float, float]:
    """Returns the 95 % interval of a ratio (Wilson 1927): honest for few examples and near 1."""
    ratio = right / examples
    spread = _Z_95**2 / examples
    centre = (ratio + spread / 2) / (1 + spread)
    half = _Z_95 * np.sqrt(ratio * (1 - ratio) / examples + spread / (4 * examples)) / (1 + spread)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def confusion(
    predicted: NDArray[np.int64], truth: NDArray[np.int64], labels: int
) -> NDArray[np.int64]:
    """Counts examples by true label (rows) and predicted label (columns), (labels, labels)."""
    counts: NDArray[np.int64] = confusion_matrix(truth, predicted, labels=range(labels))
    return counts


def macro_f1(scores: Sequence[LabelScore]) -> float:
    """Returns the mean F1 of the labels that have examples; all count alike, 0 to 1."""
    return float(np.mean([score.f1 for score in scores if score.examples > 0]))
