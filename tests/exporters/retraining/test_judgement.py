"""The paired comparison, and when a candidate is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from exporters.retraining.judgement import Bounds, Judgement, PairedAccuracy, compare_paired
from exporters.retraining.parts import resampled

if TYPE_CHECKING:
    from numpy.typing import NDArray


def paired(
    live: float, candidate: float, count: int = 400, weights: NDArray[np.float64] | None = None
) -> PairedAccuracy:
    """Both are right on the same examples, as far as their accuracies go."""
    rank = np.arange(count) / count
    return compare_paired(
        rank < live,
        rank < candidate,
        np.ones(count) if weights is None else weights,
        np.arange(count),
        seed=0,
    )


def test_better_candidate_passes_and_a_worse_one_is_refused_with_figures() -> None:
    same = paired(0.8, 0.8)

    assert Judgement(paired(0.6, 0.8), same, Bounds()).refusal is None
    refusal = Judgement(paired(0.8, 0.6), same, Bounds()).refusal
    assert refusal is not None
    assert "80.0% → 60.0% of 400 examples" in refusal


def test_too_few_examples_to_rule_a_loss_out_are_no_pass() -> None:
    rng = np.random.default_rng(0)
    live, candidate = rng.random((2, 40)) < 0.7

    found = compare_paired(live, candidate, np.ones(40), np.arange(40), seed=0)

    assert found.lower < -0.02
    assert Judgement(found, found, Bounds()).refusal is not None


def test_candidate_that_forgets_the_original_examples_is_refused() -> None:
    refusal = Judgement(paired(0.6, 0.8), paired(0.8, 0.7), Bounds()).refusal

    assert refusal is not None
    assert refusal.startswith("it forgets")


def test_weights_decide_where_the_two_are_right_on_different_examples() -> None:
    live = np.repeat([True, False], 100)
    weights = np.repeat([1.0, 4.0], 100)

    found = compare_paired(live, ~live, weights, np.arange(200), seed=0)

    assert found.gain == pytest.approx((400 - 100) / 500)
    assert found.lower > 0


def test_interval_of_equal_variants_covers_zero_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(200):
        live, candidate = rng.random((2, 150)) < 0.7
        groups = np.arange(150) // 2
        found = compare_paired(live, candidate, np.ones(150), groups, seed)
        covered += found.lower <= 0.0 <= found.upper

    # 90 % of 200 is 180; three standard errors of a binomial below it.
    assert covered >= 180 - 3 * np.sqrt(200 * 0.9 * 0.1)


def test_resampling_draws_each_as_often_as_expected_or_one_more_or_less() -> None:
    weights = np.array([0.5, 2.0, 1.0, 0.25, 4.0])

    drawn = np.bincount(resampled(weights, 1000, np.random.default_rng(0)), minlength=5)

    assert np.abs(drawn - 1000 * weights / weights.sum()).max() <= 1
