from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import f1_score

from gateway.feedback import figures
from gateway.feedback.outcomes import Confusion, OutcomeSums
from gateway.feedback.store import CONFIDENCE_BINS, DIGEST_PREFIX, confidence_bin
from gateway.receipts.receipt import labels_digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gateway.feedback.figures import Figure

RUNS = 400


def sums_of(
    confidence: NDArray[np.float64],
    is_right: NDArray[np.bool_],
    weight: NDArray[np.float64] | None = None,
) -> list[OutcomeSums]:
    """Sums outcomes up by bin, as SQL does."""
    w = np.ones(len(confidence)) if weight is None else weight
    p, c = confidence, is_right.astype(float)
    bins = np.array([confidence_bin(each) for each in p])
    found = []
    for number in range(CONFIDENCE_BINS):
        at = bins == number
        terms = (w, w**2, w * c, w**2 * c, w * p, w**2 * p, w**2 * p**2, w**2 * c * p)
        if at.any():
            sums = [float(each[at].sum()) for each in terms]
            found.append(OutcomeSums(number, int(at.sum()), *sums))
    return found


def cells_of(
    predicted: NDArray[np.int64], true: NDArray[np.int64], weight: NDArray[np.float64] | None = None
) -> list[Confusion]:
    w = np.ones(len(true)) if weight is None else weight
    found = []
    for one, other in {*zip(predicted.tolist(), true.tolist(), strict=True)}:
        at = (predicted == one) & (true == other)
        found.append(
            Confusion(
                str(one), str(other), int(at.sum()), float(w[at].sum()), float((w[at] ** 2).sum())
            )
        )
    return found


def holds(figure: Figure, truth: float) -> bool:
    return figure.low <= truth <= figure.high


def test_accuracy_of_equal_weights_is_wilsons() -> None:
    found = figures.accuracy(sums_of(np.full(100, 0.9), np.arange(100) < 80))
    # Wilson 1927 for 80 of 100, as statsmodels' proportion_confint has it to four digits.
    assert (found.estimate, round(found.low, 4), round(found.high, 4)) == (0.8, 0.7112, 0.8666)


def test_accuracy_all_right_is_not_certain() -> None:
    found = figures.accuracy(sums_of(np.full(10, 0.9), np.ones(10, bool)))
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert 0.6 < found.low < 0.8


def test_accuracy_of_labels_chosen_by_confidence_is_corrected_and_covers() -> None:
    rng = np.random.default_rng(5)
    truth = 0.75  # as confidence is uniform from 0.5 to 1, and calibrated
    covered = covered_unweighted = 0
    for _ in range(RUNS):
        p = rng.uniform(0.5, 1, 600)
        is_right = rng.random(600) < p
        chosen_with = np.where(p < 0.7, 0.9, 0.1)  # people look where the model was unsure
        is_chosen = rng.random(600) < chosen_with
        p, is_right, w = p[is_chosen], is_right[is_chosen], 1 / chosen_with[is_chosen]
        covered += holds(figures.accuracy(sums_of(p, is_right, w)), truth)
        covered_unweighted += holds(figures.accuracy(sums_of(p, is_right)), truth)
    # 95 % wanted; the share of 400 runs that cover has a standard error of 1.1 points.
    assert covered / RUNS > 0.925
    assert covered_unweighted / RUNS < 0.2


def test_effective_labels_counts_what_weights_leave() -> None:
    weight = np.array([10.0] + [1.0] * 10)
    sums = sums_of(np.full(11, 0.5), np.ones(11, bool), weight)
    assert figures.effective_labels(sums) == pytest.approx(400 / 110)
    assert figures.effective_labels(sums_of(np.full(7, 0.5), np.ones(7, bool))) == 7


def test_confidence_is_the_weighted_mean_and_covers() -> None:
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(RUNS):
        p = rng.uniform(0.5, 1, 400)
        chosen_with = np.where(p < 0.7, 0.9, 0.2)
        at = rng.random(400) < chosen_with
        sums = sums_of(p[at], np.ones(at.sum(), bool), 1 / chosen_with[at])
        covered += holds(figures.confidence(sums), 0.75)
    # As above; the interval is normal and a little short at some 150 labels.
    assert covered / RUNS > 0.92


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_calibration_error_interval_covers_the_truth(shift: float) -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(RUNS):
        p = rng.uniform(0.6, 1, 800)
        is_right = rng.random(800) < p - shift
        found = figures.calibration_error(sums_of(p, is_right))
        covered += holds(found, shift)
    # Of a calibrated model noise alone makes the estimate, and the interval reaches down to 0.
    assert covered / RUNS > 0.92


def test_macro_f1_is_sklearns_and_its_interval_covers() -> None:
    rng = np.random.default_rng(8)
    shares = np.array([0.6, 0.3, 0.1])

    def draw(size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        true = rng.choice(3, size, p=shares)
        is_noise = rng.random(size) < 0.25
        return np.where(is_noise, rng.choice(3, size), true), true

    truth = f1_score(*reversed(draw(400_000)), average="macro")
    covered = 0
    for _ in range(RUNS):
        predicted, true = draw(400)
        found = figures.macro_f1(cells_of(predicted, true))
        assert found.estimate == pytest.approx(f1_score(true, predicted, average="macro"))
        covered += holds(found, float(truth))
    # The delta method is asymptotic: 40 items of the rarest label leave it a little short.
    assert covered / RUNS > 0.92


def test_macro_f1_with_weights_is_sklearns() -> None:
    rng = np.random.default_rng(9)
    predicted, true, w = rng.choice(4, 200), rng.choice(4, 200), rng.uniform(1, 9, 200)
    expected = f1_score(true, predicted, average="macro", sample_weight=w)
    assert figures.macro_f1(cells_of(predicted, true, w)).estimate == pytest.approx(expected)


def test_macro_f1_names_predictions_by_the_digest_of_a_label() -> None:
    digest = DIGEST_PREFIX + labels_digest("cat").hex()
    cells = [Confusion("cat", "cat", 3, 3.0, 3.0), Confusion(digest, "dog", 1, 1.0, 1.0)]
    # cat: 3 right of 4 predicted and 3 true; dog: never predicted.
    assert figures.macro_f1(cells).estimate == pytest.approx((6 / 7 + 0) / 2)


def test_macro_f1_all_right_is_not_certain() -> None:
    found = figures.macro_f1([Confusion("cat", "cat", 3, 3.0, 3.0)])
    assert (found.estimate, found.low < 0.5) == (1.0, True)
