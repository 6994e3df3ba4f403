"""How far a weighted sum of squared standard normals reaches by chance.

A squared distance between two means follows such a sum: Q = sum of weight * chi-squared (1 degree
of freedom), the weights being the eigenvalues of the covariance.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NORMAL: Final = NormalDist()
_STEPS: Final = 80  # halvings of an interval: beyond the last bit of a float


def tail_probability(weights: NDArray[np.float64], value: float) -> float:
    """Returns P(Q > value) by a saddlepoint, for values above the mean of Q.

    Kuonen (1999), "Saddlepoint Approximations for Distributions of Quadratic Forms in Normal
    Variables", Biometrika 86; the form of Barndorff-Nielsen. Its error is relative, which is what
    a small probability needs.

    Args:
        weights: of the sum, shape (terms,), none negative and one above 0.
        value: above the sum of the weights.
    """
    largest = float(weights.max())
    low, high = 0.0, (1.0 - 1e-12) / (2.0 * largest)
    for _ in range(_STEPS):  # the saddlepoint: where the cumulants' slope is the value
        middle = 0.5 * (low + high)
        slope = float((weights / (1.0 - 2.0 * middle * weights)).sum())
        low, high = (middle, high) if slope < value else (low, middle)
    point = 0.5 * (low + high)
    shrunk = 1.0 - 2.0 * point * weights
    cumulant = -0.5 * float(np.log(shrunk).sum())
    curvature = 2.0 * float((np.square(weights / shrunk)).sum())
    root = math.sqrt(max(2.0 * (point * value - cumulant), 0.0))
    scale = point * math.sqrt(curvature)
    if root < 1e-6:  # at the mean itself, where the form has no value
        return 0.5
    return 1.0 - _NORMAL.cdf(root + math.log(scale / root) / root)


def upper_quantile(weights: NDArray[np.float64], probability: float) -> float:
    """Returns the value that Q exceeds with a probability.

    Args:
        weights: see `tail_probability`.
        probability: above 0 and below 0.3, where the value lies above the mean of Q.
    """
    mean, largest = float(weights.sum()), float(weights.max())
    low, high = mean * (1.0 + 1e-9), mean
    step = math.sqrt(2.0 * float(np.square(weights).sum())) + largest
    while tail_probability(weights, high := high + step) > probability:
        step *= 2.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        is_reached = tail_probability(weights, middle) > probability
        low, high = (middle, high) if is_reached else (low, middle)
    return high


@lru_cache(maxsize=1024)
def chi_squared_quantile(degrees: int, probability: float) -> float:
    """Returns the value that chi-squared of some degrees of freedom exceeds with a probability."""
    return upper_quantile(np.ones(degrees), probability)
