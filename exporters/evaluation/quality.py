"""Measures a trained variant on its held-out examples, with each set of modalities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from exporters.evaluation.metrics import (
    LabelScore,
    Reliability,
    confusion,
    macro_f1,
    wilson_interval,
)
from exporters.evaluation.task_metrics import (
    SeveralLabels,
    label_scores,
    several_labels,
    task_reliability,
)
from exporters.tasks import (
    TaskCalibration,
    decisions,
    single_task,
    slices_of,
    task_probabilities,
)
from exporters.training import logits_of
from gateway.contract.manifest import ModalitySet, Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from exporters.tasks import Task
    from exporters.training import TrainedVariant


@dataclass(frozen=True)
class TaskQuality:
    """What one set of modalities is worth in one task, on the examples labelled in it.

    Attributes:
        task: the task.
        modalities: what the head saw.
        calibration: what made probabilities and decisions of the logits.
        quality: the figures that the manifest carries.
        accuracy_interval: 95 % interval of the accuracy.
        label_scores: precision, recall and F1 of each label.
        calibrated: reliability with the temperature.
        uncalibrated: reliability without.
        confusion: counts by true (rows) and predicted label, shape (labels, labels); None where
            several labels are possible.
        several: the further figures of several labels; None for one.
    """

    task: Task
    modalities: ModalitySet
    calibration: TaskCalibration
    quality: Quality
    accuracy_interval: tuple[float, float]
    label_scores: tuple[LabelScore, ...]
    calibrated: Reliability
    uncalibrated: Reliability
    confusion: NDArray[np.int64] | None
    several: SeveralLabels | None


@dataclass(frozen=True)
class ModalityQuality:
    """What one set of modalities is worth in all tasks, which come in the order of the logits."""

    modalities: ModalitySet
    tasks: tuple[TaskQuality, ...]

    @property
    def quality(self) -> Quality:
        """The figures of the first task."""
        return self.tasks[0].quality

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % interval of the first task's accuracy."""
        return self.tasks[0].accuracy_interval


def measure_quality(variant: TrainedVariant) -> dict[ModalitySet, ModalityQuality]:
    """Measures a variant on its held-out examples; nothing was chosen by them."""
    return {modalities: _measure(variant, modalities) for modalities in ModalitySet}


def majority_accuracy(variant: TrainedVariant, task: int = 0) -> float:
    """Returns the held-out accuracy of always giving the commonest training answer of a task.

    The answer is a label; where several are possible, the commonest set of them.
    """
    table, split = variant.table, variant.split
    place, known = slices_of(table.tasks)[task], table.is_labelled[:, task]
    train, holdout = (
        table.has_label[rows[known[rows]], place] for rows in (split.train, split.holdout)
    )
    answers, counts = np.unique(train, axis=0, return_counts=True)
    return float((holdout == answers[counts.argmax()]).all(axis=1).mean())


def task_quality(  # what is measured, and with what
    task: Task,
    modalities: ModalitySet,
    calibration: TaskCalibration,
    probabilities: NDArray[np.float64],
    uncalibrated: NDArray[np.float64],
    has_label: NDArray[np.bool_],
) -> TaskQuality:
    """Measures the answers of one task.

    Args:
        task: the task.
        modalities: what the answers are made from.
        calibration: what calibrated them, and decides where several labels are possible.
        probabilities: of each label, shape (examples, labels).
        uncalibrated: the same without the temperature.
        has_label: which labels the examples have, the same shape.
    """
    decided = decisions(probabilities, task, calibration)
    calibrated = task_reliability(probabilities, has_label, task)
    right = int((decided == has_label).all(axis=1).sum())
    scores = label_scores(decided, has_label, task)
    is_several = task.is_multi_label
    return TaskQuality(
        task=task,
        modalities=modalities,
        calibration=calibration,
        quality=Quality(
            examples=len(has_label),
            accuracy=right / len(has_label),
            macro_f1=macro_f1(scores),
            expected_calibration_error=calibrated.expected_calibration_error,
        ),
        accuracy_interval=wilson_interval(right, len(has_label)),
        label_scores=scores,
        calibrated=calibrated,
        uncalibrated=task_reliability(uncalibrated, has_label, task),
        confusion=None
        if is_several
        else confusion(probabilities.argmax(axis=1), has_label.argmax(axis=1), len(task.labels)),
        several=several_labels(probabilities, decided, has_label) if is_several else None,
    )


def quality_of(  # what is measured, and with what
    modalities: ModalitySet,
    temperature: float,
    probabilities: NDArray[np.float64],
    uncalibrated: NDArray[np.float64],
    truth: NDArray[np.int64],
    labels: Sequence[str],
) -> TaskQuality:
    """Measures answers of one label where there is but one task.

    Args:
        modalities: what the answers are made from.
        temperature: what calibrated them.
        probabilities: of each label, shape (examples, labels).
        uncalibrated: the same without the temperature.
        truth: index of the true label, shape (examples,).
        labels: names of the labels, in order.
    """
    [task] = single_task(labels)
    has_label = np.equal(truth[:, None], np.arange(len(labels)))
    calibration = TaskCalibration(temperature)
    return task_quality(task, modalities, calibration, probabilities, uncalibrated, has_label)


def _measure(variant: TrainedVariant, modalities: ModalitySet) -> ModalityQuality:
    features = variant.features.take(torch.from_numpy(variant.split.holdout))
    logits = logits_of(variant.head, features, modalities).numpy()
    truth = variant.table.facts.take(variant.split.holdout)
    measured = []
    for number, (task, place, calibration) in enumerate(
        zip(
            variant.tasks,
            slices_of(variant.tasks),
            variant.calibrations[modalities],
            strict=True,
        )
    ):
        known = truth.is_labelled[:, number]
        said = logits[known][:, place]
        measured.append(
            task_quality(
                task,
                modalities,
                calibration,
                task_probabilities(said, task, calibration.temperature),
                task_probabilities(said, task, 1.0),
                truth.has_label[known][:, place],
            )
        )
    return ModalityQuality(modalities, tuple(measured))
