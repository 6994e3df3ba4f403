"""Figures of a variant from labelled predictions, each with a 95 % interval. Pure.

Which predictions get labelled is seldom chance alone, so each counts by the inverse of the
probability with which it was chosen: the Hájek estimator (Hájek 1971, comment on Basu, in
"Foundations of Statistical Inference"), a weighted mean, whose variance is taken by linearisation
(Särndal, Swensson, Wretman 1992, "Model Assisted Survey Sampling", 5.7). With equal weights all is
as without any. What no probability was given for is taken for a fair sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gateway.feedback.store import DIGEST_PREFIX
from gateway.receipts.receipt import labels_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.feedback.outcomes import Confusion, OutcomeSums

Z: Final = 1.959964
"""Standard normal deviate of a two-sided 95 % interval."""

_DRAWS: Final = 2000
_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its 95 % interval."""

    estimate: float
    low: float
    high: float


def effective_labels(sums: Sequence[OutcomeSums]) -> float:
    """Returns how many labels of equal weight would tell as much (Kish 1965, "Survey Sampling").

    Args:
        sums: of one group, at least one.
    """
    return sum(each.w for each in sums) ** 2 / sum(each.ww for each in sums)


def accuracy(sums: Sequence[OutcomeSums]) -> Figure:
    """Estimates the share that is right.

    The interval is Wilson's (1927), with the effective number of labels in place of their number:
    Kish's or what the variance implies, whichever is smaller (Korn and Graubard 1998, "Confidence
    Intervals for Proportions with Small Expected Number of Positive Counts").

    Args:
        sums: of one group, at least one.
    """
    w, ww = sum(each.w for each in sums), sum(each.ww for each in sums)
    wc, wwc = sum(each.wc for each in sums), sum(each.wwc for each in sums)
    estimate = min(1.0, wc / w)
    variance = max(0.0, (1 - 2 * estimate) * wwc + estimate**2 * ww) / w**2
    labels = effective_labels(sums)
    if variance > 0:
        labels = min(labels, estimate * (1 - estimate) / variance)
    return _wilson(estimate, labels)


def confidence(sums: Sequence[OutcomeSums]) -> Figure:
    """Estimates the mean confidence; the interval is normal.

    Args:
        sums: of one group, at least one.
    """
    w, ww = sum(each.w for each in sums), sum(each.ww for each in sums)
    estimate = sum(each.wp for each in sums) / w
    wwp, wwpp = sum(each.wwp for each in sums), sum(each.wwpp for each in sums)
    return _normal(estimate, (wwpp - 2 * estimate * wwp + estimate**2 * ww) / w**2)


def calibration_error(sums: Sequence[OutcomeSums]) -> Figure:
    """Estimates the expected calibration error, as the exporters' reports do (Guo et al. 2017).

    It is a sum of absolute values, so noise only adds to it. The interval, a basic bootstrap
    (Davison and Hinkley 1997, "Bootstrap Methods and their Application", 5.2), turns around what
    noise adds; bins are drawn from their normal approximation. It is widened to hold the estimate,
    and down to 0 where a calibrated model would err as much by noise alone (consistency resampling,
    Bröcker and Smith 2007, "Increasing the Reliability of Reliability Diagrams").

    Args:
        sums: of one group, at least one.
    """
    w = sum(each.w for each in sums)
    gaps = np.array([each.wc - each.wp for each in sums]) / w  # (bins,)
    variances = np.array([each.wwc - 2 * each.wwcp + each.wwpp for each in sums]) / w**2
    estimate = float(np.abs(gaps).sum())
    deviations = np.sqrt(np.maximum(variances, 0.0))
    noise = np.random.default_rng(_SEED).normal(size=(_DRAWS, len(gaps))) * deviations
    below, above = np.quantile(np.abs(gaps + noise).sum(axis=1), (0.025, 0.975))
    of_noise_alone = np.quantile(np.abs(noise).sum(axis=1), 0.975)
    low = 0.0 if estimate <= of_noise_alone else max(0.0, 2 * estimate - float(above))
    return Figure(
        estimate, min(estimate, low), min(1.0, max(estimate, 2 * estimate - float(below)))
    )


def macro_f1(cells: Sequence[Confusion]) -> Figure:
    """Estimates the mean F1 of all labels that were predicted or true.

    The interval is that of the delta method (Takahashi et al. 2022, "Confidence interval for
    micro-averaged F1 and macro-averaged F1 scores"), with weights. Where nothing is wrong it has no
    width, and Wilson's for the share that is right stands in.

    Args:
        cells: of one group, at least one.
    """
    # A prediction of which only the digest was kept has the name that a label of that digest has.
    names = {DIGEST_PREFIX + labels_digest(each.label).hex(): each.label for each in cells}
    pairs = [(names.get(each.predicted, each.predicted), each.label) for each in cells]
    position = {name: at for at, name in enumerate(sorted({x for pair in pairs for x in pair}))}
    predicted = np.array([position[pair[0]] for pair in pairs])
    true = np.array([position[pair[1]] for pair in pairs])
    w, ww = np.array([each.w for each in cells]), np.array([each.ww for each in cells])
    is_right = predicted == true
    count = len(position)
    both = np.bincount(predicted, w, count) + np.bincount(true, w, count)  # (labels,)
    f1 = 2 * np.bincount(predicted[is_right], w[is_right], count) / both  # (labels,)
    estimate = float(f1.mean())
    # What one more in a cell changes, times the sum of weights.
    slope = f1 / both
    change = np.where(is_right, 2 / both[true], 0.0) - slope[predicted] - slope[true]
    variance = float((ww * (change / count) ** 2).sum())
    if is_right.all():
        return _wilson(1.0, float(w.sum() ** 2 / ww.sum()))
    return _normal(estimate, variance)


def _wilson(share: float, labels: float) -> Figure:
    middle = (share + Z**2 / (2 * labels)) / (1 + Z**2 / labels)
    spread = math.sqrt(share * (1 - share) / labels + Z**2 / (4 * labels**2))
    half = Z * spread / (1 + Z**2 / labels)
    return Figure(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def _normal(estimate: float, variance: float) -> Figure:
    half = Z * math.sqrt(max(0.0, variance))
    return Figure(estimate, max(0.0, estimate - half), min(1.0, estimate + half))
