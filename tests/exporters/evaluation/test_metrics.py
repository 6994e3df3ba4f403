from __future__ import annotations

import numpy as np
import pytest

from exporters.evaluation.metrics import (
    LabelScore,
    confusion,
    macro_f1,
    reliability,
    wilson_interval,
)


def test_calibration_error_of_honest_confidence_is_near_zero() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 50_000)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    truth = (rng.uniform(size=50_000) > confidence).astype(np.int64)

    # About 6,000 examples a bin: their accuracy is known to 0.006.
    assert reliability(probabilities, truth).expected_calibration_error < 0.01


def test_calibration_error_is_the_weighted_gap_of_each_bin() -> None:
    probabilities = np.array([[0.95, 0.05]] * 4 + [[0.6, 0.4]] * 6)
    truth = np.array([0, 0, 1, 1, 0, 0, 0, 0, 0, 0])

    bins = reliability(probabilities, truth)

    expected = 0.4 * abs(0.95 - 0.5) + 0.6 * abs(0.6 - 1.0)
    assert bins.expected_calibration_error == pytest.approx(expected)
    assert bins.examples.sum() == 10


def test_reliability_holds_confidence_of_exactly_one_in_the_last_bin() -> None:
    bins = reliability(np.array([[1.0, 0.0]]), np.array([0]), bins=15)

    assert bins.examples.tolist() == [0] * 14 + [1]
    assert bins.expected_calibration_error == 0.0


@pytest.mark.parametrize(
    ("right", "examples", "low", "high"),
    [(50, 100, 0.4038, 0.5962), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)],
)
def test_wilson_interval_agrees_with_published_values(
    right: int, examples: int, low: float, high: float
) -> None:
    assert wilson_interval(right, examples) == pytest.approx((low, high), abs=1e-4)


def test_confusion_has_true_labels_in_rows() -> None:
    counts = confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), labels=3)

    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_macro_f1_is_the_mean_of_the_labels_that_have_examples() -> None:
    scores = (
        LabelScore("cat", precision=1.0, recall=0.5, f1=2 / 3, examples=2),
        LabelScore("dog", precision=2 / 3, recall=1.0, f1=0.8, examples=2),
        LabelScore("owl", precision=0.0, recall=0.0, f1=0.0, examples=0),
    )

    assert macro_f1(scores) == pytest.approx((2 / 3 + 0.8) / 2)
