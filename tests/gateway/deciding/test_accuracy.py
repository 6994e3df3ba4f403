from __future__ import annotations

import numpy as np
import pytest

from gateway.deciding.accuracy import Verdict, accuracy_interval, compare
from gateway.deciding.outcomes import OutcomeSums, Stratum

MARGIN = 0.05


def stratum(control: tuple[int, int], candidate: tuple[int, int]) -> Stratum:
    """Right ones and all, of both arms."""
    return Stratum(OutcomeSums.of_counts(*control), OutcomeSums.of_counts(*candidate))


def test_clear_differences_are_decided_and_small_ones_are_not() -> None:
    better = compare([stratum((700, 1000), (850, 1000))], scale=MARGIN, level=0.05)
    worse = compare([stratum((850, 1000), (700, 1000))], scale=MARGIN, level=0.05)
    neither = compare([stratum((850, 1000), (840, 1000))], scale=MARGIN, level=0.05)
    verdicts = [better.verdict, worse.verdict, neither.verdict]
    assert verdicts == [Verdict.BETTER, Verdict.WORSE, Verdict.UNDECIDED]
    assert worse.certain_loss == pytest.approx(-worse.interval.high)
    assert better.possible_loss == 0.0


def test_arm_without_labels_leaves_everything_possible() -> None:
    test = compare([stratum((850, 1000), (0, 0))], scale=MARGIN, level=0.05)
    assert (test.difference, test.verdict) == (None, Verdict.UNDECIDED)
    assert test.possible_loss == 1.0


def test_drift_while_shares_change_is_not_held_against_an_arm() -> None:
    # Equal arms in each stratum; pooled, the candidate would have 0.61 and the control 0.89.
    strata = [stratum((9000, 10000), (90, 100)), stratum((60, 100), (6000, 10000))]
    test = compare(strata, scale=MARGIN, level=0.05)
    assert test.control.accuracy == pytest.approx(0.897, abs=0.001)
    assert test.difference == pytest.approx(0.0, abs=1e-12)
    assert test.verdict is Verdict.UNDECIDED


def test_interval_of_one_arm_holds_its_accuracy_and_stays_within_0_and_1() -> None:
    few = accuracy_interval(OutcomeSums.of_counts(3, 3), scale=MARGIN, level=0.05)
    assert (few.low, few.high) == (0.0, 1.0)
    many = accuracy_interval(OutcomeSums.of_counts(8500, 10000), scale=MARGIN, level=0.05)
    assert 0.83 < many.low < 0.85 < many.high < 0.87


@pytest.mark.parametrize(("accuracy", "share"), [(0.97, 0.05), (0.85, 0.5), (0.7, 0.1)])
def test_equal_arms_looked_at_after_every_label_are_called_different_rarely(
    accuracy: float, share: float
) -> None:
    runs, labels, level = 60, 600, 0.05
    random = np.random.default_rng(7)
    wrong = 0
    for _ in range(runs):
        is_candidate = random.random(labels) < share
        is_right = random.random(labels) < accuracy
        control, candidate = OutcomeSums(), OutcomeSums()
        for arm, right in zip(is_candidate, is_right, strict=True):
            one = OutcomeSums.of_counts(int(right), 1)
            control, candidate = (control, candidate + one) if arm else (control + one, candidate)
            test = compare([Stratum(control, candidate)], scale=MARGIN, level=level)
            if test.verdict is not Verdict.UNDECIDED:
                wrong += 1
                break
    # 3 are expected of 60 at most; 8 or more would come by chance in 1 of 100.
    assert wrong < 8
