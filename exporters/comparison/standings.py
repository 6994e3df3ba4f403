"""From the answers in all folds to figures with intervals, and a paired test against the best."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from exporters.evaluation.metrics import macro_f1, reliability, score_labels
from exporters.evaluation.statistics import bootstrap_intervals, holm, sign_flip_p

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gateway.contract.manifest import ModalitySet


@dataclass(frozen=True)
class Answers:
    """What a candidate said of every example, each time fitted without it.

    Attributes:
        name: of the candidate.
        is_baseline: whether it is there for scale only.
        probabilities: for each set of modalities it answers, richest first, (examples, labels).
        fit_cpu_s: processor time of each fold's fit; empty when nothing was fitted.
        learned_weights: mean over the folds; empty for heads without.
    """

    name: str
    is_baseline: bool
    probabilities: dict[ModalitySet, NDArray[np.float64]]
    fit_cpu_s: tuple[float, ...] = ()
    learned_weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """Figures over all examples with one set of modalities.

    Attributes:
        accuracy: 0 to 1.
        interval: 95 % interval of the accuracy.
        macro_f1: 0 to 1.
        expected_calibration_error: of calibrated probabilities, 0 to 1.
    """

    accuracy: float
    interval: tuple[float, float]
    macro_f1: float
    expected_calibration_error: float


@dataclass(frozen=True)
class Gap:
    """How far a candidate is behind the best, on the same examples.

    Attributes:
        accuracy: the candidate's minus the best's, -1 to 1.
        interval: its 95 % interval.
        p_value: of the paired test, corrected for the number of candidates.
    """

    accuracy: float
    interval: tuple[float, float]
    p_value: float


@dataclass(frozen=True)
class Standing:
    """One row of the comparison; the best has no gap."""

    answers: Answers
    scores: dict[ModalitySet, Score]
    gap: Gap | None

    @property
    def name(self) -> str:
        """The candidate's name."""
        return self.answers.name

    @property
    def headline(self) -> Score:
        """The score with all that the candidate can see."""
        return next(iter(self.scores.values()))


def rank(
    answers: Sequence[Answers],
    truth: NDArray[np.int64],
    groups: NDArray[np.int64],
    labels: Sequence[str],
    seed: int,
) -> tuple[Standing, ...]:
    """Scores candidates; heads come best first, baselines after them.

    Args:
        answers: of all candidates.
        truth: index of the true label, shape (examples,).
        groups: group of each example, shape (examples,).
        labels: names of the labels.
        seed: of the resamples and permutations.
    """
    rights = {
        (each.name, modalities): probabilities.argmax(axis=1) == truth
        for each in answers
        for modalities, probabilities in each.probabilities.items()
    }
    headlines = {each.name: rights[each.name, next(iter(each.probabilities))] for each in answers}
    ordered = sorted(answers, key=lambda each: (each.is_baseline, -headlines[each.name].mean()))
    best, *others = (each.name for each in ordered)
    gaps = {name: headlines[name].astype(float) - headlines[best] for name in others}

    series = np.stack([*rights.values(), *gaps.values()]).astype(float)
    ends = [(low, high) for low, high in bootstrap_intervals(series, groups, seed).tolist()]
    intervals = dict(zip([*rights, *gaps], ends, strict=True))
    p_values = holm([sign_flip_p(gap, groups, seed) for gap in gaps.values()])
    behind = {
        name: Gap(float(gap.mean()), intervals[name], p_value)
        for (name, gap), p_value in zip(gaps.items(), p_values, strict=True)
    }
    return tuple(
        Standing(
            each,
            {
                modalities: _score(probabilities, truth, labels, intervals[each.name, modalities])
                for modalities, probabilities in each.probabilities.items()
            },
            behind.get(each.name),
        )
        for each in ordered
    )


def _score(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    labels: Sequence[str],
    interval: tuple[float, float],
) -> Score:
    predicted = probabilities.argmax(axis=1)
    return Score(
        accuracy=float(np.mean(predicted == truth)),
        interval=interval,
        macro_f1=macro_f1(score_labels(predicted, truth, labels)),
        expected_calibration_error=reliability(probabilities, truth).expected_calibration_error,
    )
