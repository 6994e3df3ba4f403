from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gateway.contract.drift.two_sample import (
    category_distance,
    category_threshold,
    ks_distance,
    ks_threshold,
)


def test_ks_distance_is_scipys() -> None:
    generator = np.random.default_rng(0)
    one = np.sort(generator.normal(size=90)).astype(np.float32)
    other = generator.normal(0.4, 1.2, size=70).astype(np.float32)
    other[:20] = one[:20]  # values that repeat

    wanted = stats.ks_2samp(one, other).statistic
    assert ks_distance(one, other) == pytest.approx(wanted, abs=1e-12)


def test_ks_threshold_is_not_below_the_exact_one() -> None:
    threshold = ks_threshold(120, 80, 1e-3)

    one = np.arange(120, dtype=np.float32)
    other = one[:80] + np.float32(threshold * 120)  # a shift with about that distance
    assert stats.ks_2samp(one, other).pvalue < 0.01


def test_category_distance_is_pearsons() -> None:
    one, other = np.array([40.0, 60.0, 30.0]), np.array([55.0, 45.0, 20.0])

    distance, degrees = category_distance(one, other, (130.0, 120.0))

    table = stats.chi2_contingency(np.stack([one, other]), correction=False)
    assert degrees == table.dof
    chi_squared = distance**2 / (1 / 130 + 1 / 120)
    assert chi_squared == pytest.approx(table.statistic, rel=1e-9)


def test_rare_categories_are_taken_together() -> None:
    one = np.array([500.0, 1.0, 2.0, 0.0])
    other = np.array([100.0, 0.0, 0.0, 40.0])

    distance, degrees = category_distance(one, other, (503.0, 140.0))

    assert degrees in {1, 2}
    assert distance > category_threshold(degrees, (503.0, 140.0), 1e-6)


def test_one_category_on_both_sides_does_not_differ() -> None:
    counts = np.array([10.0, 0.0])

    assert category_distance(counts, counts, (10.0, 10.0)) == (0.0, 0)
