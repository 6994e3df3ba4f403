from __future__ import annotations

from math import comb

import numpy as np
import pytest

from exporters.evaluation.statistics import bootstrap_intervals, holm, sign_flip_p


def test_bootstrap_interval_of_single_examples_is_the_binomial_one() -> None:
    right = (np.arange(1000) < 800).astype(float)

    [(low, high)] = bootstrap_intervals(right[None], np.arange(1000), seed=0)

    # Normal approximation: 0.8 plus or minus 1.96 * sqrt(0.8 * 0.2 / 1000) = 0.0248. An end is a
    # quantile of 2000 resamples, which is known to about 0.0008.
    assert low == pytest.approx(0.8 - 0.0248, abs=0.003)
    assert high == pytest.approx(0.8 + 0.0248, abs=0.003)


def test_bootstrap_interval_of_groups_that_agree_is_wider_than_of_single_examples() -> None:
    right = np.repeat((np.arange(100) < 80).astype(float), 10)

    [(low, high)] = bootstrap_intervals(right[None], np.repeat(np.arange(100), 10), seed=0)
    [(single_low, single_high)] = bootstrap_intervals(right[None], np.arange(1000), seed=0)

    # 100 independent groups instead of 1000 examples: sqrt(10) = 3.2 times as wide.
    assert (high - low) / (single_high - single_low) == pytest.approx(np.sqrt(10), rel=0.15)


def test_bootstrap_of_a_difference_is_paired() -> None:
    first = (np.arange(500) % 5 > 0).astype(float)
    second = first.copy()
    second[:10] = 0  # two of these ten are wrong already: 8 of 500 fewer right

    ends = bootstrap_intervals(np.stack([first, second - first]), np.arange(500), seed=0)

    widths = ends[:, 1] - ends[:, 0]
    assert widths[1] < widths[0] / 2
    assert ends[1, 1] < 0


@pytest.mark.parametrize(("first_only", "second_only"), [(9, 2), (15, 14), (20, 3)])
def test_sign_flip_p_of_single_examples_is_mcnemars(first_only: int, second_only: int) -> None:
    differences = np.array([1.0] * first_only + [-1.0] * second_only + [0.0] * 100)
    flips = first_only + second_only
    tail = sum(comb(flips, k) for k in range(min(first_only, second_only) + 1)) / 2**flips

    p_value = sign_flip_p(differences, np.arange(len(differences)), seed=0)

    # 20,000 draws: a standard error of 0.0035 at most.
    assert p_value == pytest.approx(min(1.0, 2 * tail), abs=0.012)


def test_sign_flip_p_counts_a_group_once() -> None:
    differences = np.ones(12)

    apart = sign_flip_p(differences, np.arange(12), seed=0)
    together = sign_flip_p(differences, np.zeros(12, dtype=np.int64), seed=0)

    assert apart < 0.01
    assert together == 1.0


def test_sign_flip_p_without_any_difference_is_one() -> None:
    assert sign_flip_p(np.zeros(20), np.arange(20), seed=0) == 1.0


def test_holm_corrects_in_steps_and_keeps_the_order() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []
