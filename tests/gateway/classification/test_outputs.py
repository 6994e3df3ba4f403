from __future__ import annotations

import numpy as np
import pytest

from gateway.classification.outputs import probabilities, rank
from gateway.classification.values import Scores

LABELS = ("a", "b", "c")
FEW_AND_MANY = (1, 64, 65, 1000)  # on both sides of where the arithmetic changes


def logits(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(values, np.float32)


def test_rank_probabilities_add_up_to_one_best_first() -> None:
    ranking = rank(Scores(logits(0.5, 3.0, -1.0), LABELS, 1.0), 3)
    assert [each.label for each in ranking] == ["b", "a", "c"]
    # float64 sums of three terms: far below 1e-12
    assert sum(each.score for each in ranking) == pytest.approx(1.0, abs=1e-12)


def test_rank_higher_temperature_is_less_sure() -> None:
    scores = [
        rank(Scores(logits(0.0, 1.0, 2.0), LABELS, each), 1)[0].score for each in (0.5, 1.0, 4.0)
    ]
    assert scores == sorted(scores, reverse=True)


def test_rank_huge_logits_do_not_overflow() -> None:
    assert rank(Scores(logits(1e30, 0.0, -1e30), LABELS, 0.1), 1)[0].score == 1.0


def test_rank_equal_scores_keep_the_order_of_the_labels() -> None:
    assert [each.label for each in rank(Scores(logits(1.0, 1.0, 1.0), LABELS, 1.0), 3)] == list(
        LABELS
    )


@pytest.mark.parametrize(("top_k", "returned"), [(1, 1), (2, 2), (50, 3)])
def test_rank_returns_top_k_or_all(top_k: int, returned: int) -> None:
    assert len(rank(Scores(logits(0.0, 1.0, 2.0), LABELS, 1.0), top_k)) == returned


def test_rank_of_a_sigmoid_scores_each_label_by_itself() -> None:
    ranking = rank(Scores(logits(0.0, 800.0, -800.0), LABELS, 1.0, "sigmoid"), 3)
    assert [each.score for each in ranking] == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("count", FEW_AND_MANY)
def test_probabilities_are_the_softmax_whatever_the_number_of_labels(count: int) -> None:
    row = np.random.default_rng(count).normal(0.0, 5.0, count).astype(np.float32)
    odds = np.exp(row.astype(np.float64) / 0.7)
    found = probabilities(Scores(row, tuple(map(str, range(count))), 0.7))
    # float64 sums of 1000 terms, in another order: far below 1e-12
    assert found == pytest.approx((odds / odds.sum()).tolist(), rel=1e-12)


@pytest.mark.parametrize("count", FEW_AND_MANY)
def test_probabilities_are_the_sigmoid_whatever_the_number_of_labels(count: int) -> None:
    row = np.random.default_rng(count).normal(0.0, 5.0, count).astype(np.float32)
    expected = 1.0 / (1.0 + np.exp(-row.astype(np.float64) / 0.7))
    found = probabilities(Scores(row, tuple(map(str, range(count))), 0.7, "sigmoid"))
    assert found == pytest.approx(expected.tolist(), rel=1e-12)
