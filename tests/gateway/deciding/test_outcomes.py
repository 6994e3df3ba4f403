from __future__ import annotations

import numpy as np
import pytest

from gateway.deciding.outcomes import CONFIDENCE_BINS, ConfidenceBins, OutcomeSums
from gateway.feedback.store import CONFIDENCE_BINS as STORED_BINS


def sums_of(weights: list[float], is_correct: list[int], units: list[int]) -> OutcomeSums:
    """Sums predictions one by one, as SQL does."""
    a: dict[int, float] = {}
    b: dict[int, float] = {}
    for weight, right, unit in zip(weights, is_correct, units, strict=True):
        a[unit] = a.get(unit, 0.0) + weight * right
        b[unit] = b.get(unit, 0.0) + weight
    return OutcomeSums(
        count=len(weights),
        units=len(b),
        weight=sum(weights),
        squared_weight=sum(weight**2 for weight in weights),
        correct_weight=sum(w * right for w, right in zip(weights, is_correct, strict=True)),
        aa=sum(value**2 for value in a.values()),
        ab=sum(a[unit] * b[unit] for unit in b),
        bb=sum(value**2 for value in b.values()),
    )


def test_accuracy_weighs_predictions_by_how_likely_their_label_was() -> None:
    # One right prediction in ten was labelled, each wrong one: 0.5 among labels, 10 of 11 in truth.
    assert sums_of([10, 1], [1, 0], [1, 2]).accuracy == pytest.approx(10 / 11)


def test_sums_of_counts_are_those_of_the_predictions_one_by_one() -> None:
    assert OutcomeSums.of_counts(2, 3) == sums_of([1, 1, 1], [1, 1, 0], [1, 2, 3])


def test_variance_of_few_that_are_all_right_is_not_zero() -> None:
    assert OutcomeSums.of_counts(5, 5).unit_variance > 0.1
    assert OutcomeSums().unit_variance == 0.25


def test_variance_of_users_who_are_right_or_wrong_as_a_whole_is_that_of_users() -> None:
    units = [unit for unit in range(40) for _ in range(10)]
    right = [int(unit % 2) for unit in units]
    apart = sums_of([1] * 400, right, list(range(400)))
    together = sums_of([1] * 400, right, units)
    # 400 predictions of 40 users tell as much as 40; a tenth for the correction of small samples.
    assert together.unit_variance / apart.unit_variance == pytest.approx(10, rel=0.1)


def test_unequal_weights_leave_fewer_effective_predictions() -> None:
    sums = sums_of([1, 1, 1, 9], [1, 0, 1, 1], [1, 2, 3, 4])
    assert sums.effective_count == pytest.approx(144 / 84)


def test_bins_hold_the_gap_between_confidence_and_rightness() -> None:
    bins = ConfidenceBins.of_predictions(np.array([0.99, 0.99, 0.4]), np.array([True, False, True]))
    assert (bins.weights[6], bins.weights[14], sum(bins.weights)) == (1, 2, 3)
    assert (bins.gaps[6], bins.gaps[14]) == pytest.approx((-0.6, 0.98))


def test_bins_are_those_that_feedback_is_stored_with() -> None:
    assert CONFIDENCE_BINS == STORED_BINS
