from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from exporters.comparison.standings import Answers, rank
from exporters.tasks import Truth, single_task
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXAMPLES, LABELS = 400, ("cat", "dog", "bird")
RIGHT = np.arange(EXAMPLES) % 3
TRUTH = Truth(
    single_task(LABELS), np.equal(RIGHT[:, None], np.arange(3)), np.ones((EXAMPLES, 1), dtype=bool)
)
GROUPS = np.arange(EXAMPLES) // 2


def right_on(share: float, offset: int = 0) -> NDArray[np.float64]:
    """Probabilities that name the true label of a share of the examples, and the next of others."""
    is_right = (np.arange(EXAMPLES) + offset) % EXAMPLES < share * EXAMPLES
    named = np.where(is_right, RIGHT, (RIGHT + 1) % 3)
    probabilities: NDArray[np.float64] = np.eye(3)[named] * 0.7 + 0.1
    return probabilities


def answers_of(name: str, modalities: ModalitySet, probabilities: NDArray[np.float64]) -> Answers:
    decided = probabilities == probabilities.max(axis=1, keepdims=True)
    return Answers(name, False, {modalities: probabilities}, {modalities: decided})


def head(name: str, both: float, offset: int = 0) -> Answers:
    return answers_of(name, ModalitySet.BOTH, right_on(both, offset))


def test_rank_puts_heads_best_first_and_baselines_last() -> None:
    alone = answers_of("text alone", ModalitySet.TEXT, right_on(0.95))
    baseline = replace(alone, is_baseline=True)

    ranked = rank([head("poor", 0.5), baseline, head("good", 0.9)], TRUTH, GROUPS, 0)

    assert [each.name for each in ranked] == ["good", "poor", "text alone"]
    assert ranked[0].gap is None
    assert [each.headline.accuracy for each in ranked] == pytest.approx([0.9, 0.5, 0.95])


def test_rank_compares_with_the_best_on_the_same_examples() -> None:
    answers = [head("best", 0.9), head("near", 0.895), head("far", 0.7)]

    _, near, far = rank(answers, TRUTH, GROUPS, seed=0)

    assert near.gap is not None
    assert far.gap is not None
    assert near.gap.accuracy == pytest.approx(-0.005)
    assert near.gap.p_value > 0.05
    assert far.gap.accuracy == pytest.approx(-0.2)
    assert far.gap.p_value < 0.001
    assert far.gap.interval[0] < -0.2 < far.gap.interval[1] < 0


def test_scores_lie_within_their_intervals_and_measure_calibration() -> None:
    [only] = rank([head("only", 0.8)], TRUTH, GROUPS, seed=0)

    low, high = only.headline.interval
    assert low < 0.8 < high
    # Always 0.8 sure and 80 % right.
    assert only.headline.expected_calibration_error == pytest.approx(0.0, abs=1e-9)
    assert only.headline.macro_f1 == pytest.approx(0.8, abs=0.02)  # labels differ by an example
