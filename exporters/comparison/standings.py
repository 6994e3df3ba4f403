"""From the answers in all folds to figures with intervals, and a paired test against the best."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from exporters.evaluation.statistics import bootstrap_intervals, holm, sign_flip_p
from exporters.evaluation.task_metrics import mean_calibration_error, mean_macro_f1
from exporters.tasks import example_f1, rightness, slices_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from exporters.tasks import Truth
    from gateway.contract.manifest import ModalitySet


@dataclass(frozen=True)
class Answers:
    """What a candidate said of every example, each time fitted without it.

    Attributes:
        name: of the candidate.
        is_baseline: whether it is there for scale only.
        probabilities: for each set of modalities it answers, richest first, (examples, labels of
            all tasks).
        decided: which labels it answers with, the same shape.
        fit_cpu_s: processor time of each fold's fit; empty when nothing was fitted.
        learned_weights: mean over the folds; empty for heads without.
    """

    name: str
    is_baseline: bool
    probabilities: dict[ModalitySet, NDArray[np.float64]]
    decided: dict[ModalitySet, NDArray[np.bool_]]
    fit_cpu_s: tuple[float, ...] = ()
    learned_weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """Figures over all examples with one set of modalities; of several tasks, their means.

    Attributes:
        accuracy: 0 to 1; where several labels are possible, `example_f1`.
        interval: 95 % interval of the accuracy.
        macro_f1: 0 to 1.
        expected_calibration_error: of calibrated probabilities, 0 to 1.
        task_accuracies: the accuracy of each task by itself.
    """

    accuracy: float
    interval: tuple[float, float]
    macro_f1: float
    expected_calibration_error: float
    task_accuracies: dict[str, float]


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
    truth: Truth,
    groups: NDArray[np.int64],
    seed: int,
) -> tuple[Standing, ...]:
    """Scores candidates; heads come best first, baselines after them.

    Args:
        answers: of all candidates.
        truth: of all examples.
        groups: group of each example, shape (examples,).
        seed: of the resamples and permutations.
    """
    rights = {
        (each.name, modalities): rightness(decided, truth)
        for each in answers
        for modalities, decided in each.decided.items()
    }
    headlines = {each.name: rights[each.name, next(iter(each.probabilities))] for each in answers}
    ordered = sorted(answers, key=lambda each: (each.is_baseline, -headlines[each.name].mean()))
    best, *others = (each.name for each in ordered)
    gaps = {name: headlines[name] - headlines[best] for name in others}

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
                modalities: _score(each, modalities, truth, intervals[each.name, modalities])
                for modalities in each.probabilities
            },
            behind.get(each.name),
        )
        for each in ordered
    )


def _score(
    answers: Answers, modalities: ModalitySet, truth: Truth, interval: tuple[float, float]
) -> Score:
    probabilities, decided = answers.probabilities[modalities], answers.decided[modalities]
    by_task = {}
    for number, (task, place) in enumerate(zip(truth.tasks, slices_of(truth.tasks), strict=True)):
        known = truth.is_labelled[:, number]
        right = example_f1(decided[known][:, place], truth.has_label[known][:, place])
        by_task[task.name] = float(right.mean())
    return Score(
        accuracy=float(rightness(decided, truth).mean()),
        interval=interval,
        macro_f1=mean_macro_f1(decided, truth),
        expected_calibration_error=mean_calibration_error(probabilities, truth),
        task_accuracies=by_task,
    )
