"""Figures of one task, whether an example has one label in it or several: functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import average_precision_score

from exporters.evaluation.metrics import (
    CALIBRATION_BINS,
    LabelScore,
    Reliability,
    macro_f1,
    reliability,
)
from exporters.tasks import slices_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from exporters.tasks import Task, Truth


@dataclass(frozen=True)
class SeveralLabels:
    """What only a multi-label task has.

    Attributes:
        micro_f1: of all decisions together, 0 to 1.
        average_precision: mean over the labels that have examples, 0 to 1; no threshold in it.
    """

    micro_f1: float
    average_precision: float


def label_scores(
    decided: NDArray[np.bool_], has_label: NDArray[np.bool_], task: Task
) -> tuple[LabelScore, ...]:
    """Scores each label of a task against its absence; see `LabelScore`."""
    right = (decided & has_label).sum(axis=0)
    answered, there = decided.sum(axis=0), has_label.sum(axis=0)
    precision = right / np.maximum(answered, 1)
    recall = right / np.maximum(there, 1)
    f1 = 2 * right / np.maximum(answered + there, 1)
    columns = (task.labels, precision, recall, f1, there)
    return tuple(
        LabelScore(label, float(exact), float(found), float(both), int(examples))
        for label, exact, found, both, examples in zip(*columns, strict=True)
    )


def task_reliability(
    probabilities: NDArray[np.float64], has_label: NDArray[np.bool_], task: Task
) -> Reliability:
    """Bins confidence against truth.

    Of one label the confidence of the most likely one. Of several labels the probability of each
    label against how often it applies, all labels together.

    Args:
        probabilities: shape (examples, labels).
        has_label: the same shape.
        task: of these labels.
    """
    if not task.is_multi_label:
        return reliability(probabilities, has_label.argmax(axis=1))
    # A column of its own for each decision: the "most likely label" is then that label.
    sure = probabilities.ravel()
    position = np.clip(np.ceil(sure * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    decisions = np.bincount(position, minlength=CALIBRATION_BINS)
    filled = np.maximum(decisions, 1)
    middles = (np.arange(CALIBRATION_BINS) + 0.5) / CALIBRATION_BINS
    confidence = np.bincount(position, weights=sure, minlength=CALIBRATION_BINS) / filled
    applies = np.bincount(position, weights=has_label.ravel(), minlength=CALIBRATION_BINS) / filled
    return Reliability(np.where(decisions > 0, confidence, middles), applies, decisions)


def several_labels(
    probabilities: NDArray[np.float64],
    decided: NDArray[np.bool_],
    has_label: NDArray[np.bool_],
) -> SeveralLabels:
    """Measures what only a multi-label task has; all of shape (examples, labels)."""
    precisions = [
        average_precision_score(has_label[:, label], probabilities[:, label])
        for label in np.flatnonzero(has_label.any(axis=0))
    ]
    return SeveralLabels(
        micro_f1=float(2 * (decided & has_label).sum() / max(decided.sum() + has_label.sum(), 1)),
        average_precision=float(np.mean(precisions)) if precisions else 0.0,
    )


def mean_macro_f1(decided: NDArray[np.bool_], truth: Truth) -> float:
    """Returns the macro F1 over the labels of each task, mean over the tasks, 0 to 1."""
    found = []
    for number, (task, place) in enumerate(zip(truth.tasks, slices_of(truth.tasks), strict=True)):
        known = truth.is_labelled[:, number]
        scores = label_scores(decided[known][:, place], truth.has_label[known][:, place], task)
        found.append(macro_f1(scores))
    return float(np.mean(found))


def mean_calibration_error(probabilities: NDArray[np.float64], truth: Truth) -> float:
    """Returns the expected calibration error, mean over the tasks, 0 to 1."""
    found = []
    for number, (task, place) in enumerate(zip(truth.tasks, slices_of(truth.tasks), strict=True)):
        known = truth.is_labelled[:, number]
        bins = task_reliability(
            probabilities[known][:, place], truth.has_label[known][:, place], task
        )
        found.append(bins.expected_calibration_error)
    return float(np.mean(found))
