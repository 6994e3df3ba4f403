from __future__ import annotations

import numpy as np
import pytest

from gateway.classification.outputs import rank
from gateway.classification.values import Scores

LABELS = ("a", "b", "c")


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
