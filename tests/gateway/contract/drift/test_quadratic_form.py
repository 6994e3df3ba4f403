from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gateway.contract.drift.quadratic_form import (
    chi_squared_quantile,
    tail_probability,
    upper_quantile,
)


@pytest.mark.parametrize("degrees", [1, 2, 7, 50])
@pytest.mark.parametrize("probability", [0.1, 1e-2, 1e-4, 1e-6])
def test_equal_weights_are_chi_squared(degrees: int, probability: float) -> None:
    quantile = chi_squared_quantile(degrees, probability)

    # Kuonen (1999) reports errors of a few per cent of the probability; one degree is the worst.
    assert stats.chi2.sf(quantile, degrees) == pytest.approx(probability, rel=0.1)


def test_uneven_weights_are_exceeded_as_often_as_said() -> None:
    weights = np.random.default_rng(0).exponential(size=128) ** 3
    draws = np.random.default_rng(1).chisquare(1, size=(40_000, 128)) @ weights

    quantile = upper_quantile(weights, 0.01)

    # 400 are expected, with a deviation of 20.
    assert float((draws > quantile).mean()) == pytest.approx(0.01, abs=0.002)
    assert tail_probability(weights, quantile) == pytest.approx(0.01, rel=1e-6)


def test_quantile_without_spread_but_in_one_direction_is_that_of_one_square() -> None:
    weights = np.array([2.0, 0.0, 0.0])

    assert upper_quantile(weights, 1e-3) == pytest.approx(
        2.0 * chi_squared_quantile(1, 1e-3), rel=1e-6
    )
