"""Two univariate tests of one sample against another: of values, and of categories.

Both are what Rabanser et al. 2019, "Failing Loudly: An Empirical Study of Methods for Detecting
Dataset Shift", found to work on what a classifier says ("black box shift detection"; Lipton et al.
2018, "Detecting and Correcting for Label Shift with Black Box Predictors").
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from gateway.contract.drift.quadratic_form import chi_squared_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST_EXPECTED: Final = 5.0


def ks_distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Returns the largest difference of two empirical distribution functions, 0 to 1.

    Args:
        one: values, shape (m,), ascending.
        other: values, shape (n,), in any order.
    """
    other = np.sort(other)
    points = np.concatenate([one, other])
    at_one = np.searchsorted(one, points, side="right") / len(one)
    at_other = np.searchsorted(other, points, side="right") / len(other)
    return float(np.abs(at_one - at_other).max())


def ks_threshold(rows: float, other_rows: float, false_alarm: float) -> float:
    """Returns what the distance exceeds with at most a probability when nothing has changed.

    The bound of Dvoretzky, Kiefer and Wolfowitz with Massart's constant, for two samples (Wei and
    Dudley 2012). It holds for few rows too, and the more so where values repeat.
    """
    return math.sqrt(math.log(2.0 / false_alarm) * (1.0 / rows + 1.0 / other_rows) / 2.0)


def category_distance(
    one: NDArray[np.float64], other: NDArray[np.float64], rows: tuple[float, float]
) -> tuple[float, int]:
    """Compares two sets of counts by Pearson's chi-squared, as a distance that rows do not change.

    Categories of which either sample is to expect fewer than five are taken together.

    Args:
        one: counts of each category, shape (categories,).
        other: the same of the other sample.
        rows: how many independent rows each sample is worth; at most the sum of its counts.

    Returns:
        sqrt(chi-squared / (n m / (n + m))) and the degrees of freedom; 0 degrees where nothing is
        left to compare.
    """
    shares = np.stack([one / one.sum(), other / other.sum()])  # (2, categories)
    weights = np.array(rows)[:, None]
    pooled = (shares * weights).sum(axis=0) / weights.sum()
    is_rare = pooled * min(rows) < _LEAST_EXPECTED
    if is_rare.any():
        shares = np.column_stack([shares[:, ~is_rare], shares[:, is_rare].sum(axis=1)])
        pooled = np.append(pooled[~is_rare], pooled[is_rare].sum())
    is_there = pooled > 0.0
    if is_there.sum() < 2:
        return 0.0, 0
    difference = np.square(shares[0] - shares[1])[is_there] / pooled[is_there]
    return math.sqrt(float(difference.sum())), int(is_there.sum()) - 1


def category_threshold(degrees: int, rows: tuple[float, float], false_alarm: float) -> float:
    """Returns what `category_distance` exceeds with a probability when nothing has changed."""
    quantile = chi_squared_quantile(degrees, false_alarm)
    return math.sqrt(quantile * (1.0 / rows[0] + 1.0 / rows[1]))
