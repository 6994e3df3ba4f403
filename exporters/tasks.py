"""What a variant is asked: one or more tasks, whose labels stand side by side in a row of logits.

A task has one label an example (probabilities by softmax) or any number of them (by sigmoid, each
label with a threshold of its own). Data, heads, training, evaluation and publishing all speak of
tasks; a recipe that names none has one, `label`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import expit, softmax

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

ONLY_TASK: Final = "label"
"""Name of the task of a recipe that has no `[[tasks]]`."""


@dataclass(frozen=True)
class Task:
    """One set of labels.

    Attributes:
        name: what the answer calls it.
        labels: in the order of its logits.
        is_multi_label: whether an example may have any number of them, none included.
    """

    name: str
    labels: tuple[str, ...]
    is_multi_label: bool = False


@dataclass(frozen=True)
class TaskCalibration:
    """What turns a task's logits into probabilities and decisions, for one set of modalities.

    Attributes:
        temperature: logits are divided by it.
        thresholds: of a multi-label task, one a label: a label applies when its probability is
            above. Empty for a task of one label.
    """

    temperature: float
    thresholds: tuple[float, ...] = ()


def single_task(labels: Sequence[str]) -> tuple[Task, ...]:
    """Returns the tasks of a variant that has but one, of one label an example."""
    return (Task(ONLY_TASK, tuple(labels)),)


def slices_of(tasks: Iterable[Task]) -> tuple[slice, ...]:
    """Returns where each task's logits stand in a row."""
    slices, start = [], 0
    for task in tasks:
        slices.append(slice(start, start + len(task.labels)))
        start += len(task.labels)
    return tuple(slices)


def task_probabilities(
    logits: NDArray[np.floating[Any]], task: Task, temperature: float
) -> NDArray[np.float64]:
    """Returns the calibrated probabilities of one task, the shape of its logits (rows, labels)."""
    scaled = logits.astype(np.float64) / temperature
    probabilities: NDArray[np.float64] = (
        expit(scaled) if task.is_multi_label else softmax(scaled, axis=-1)
    )
    return probabilities


def all_probabilities(
    logits: NDArray[np.floating[Any]],
    tasks: Sequence[Task],
    calibrations: Sequence[TaskCalibration],
) -> NDArray[np.float64]:
    """Returns the calibrated probabilities of all tasks, shape (rows, labels of all tasks)."""
    return np.concatenate(
        [
            task_probabilities(logits[:, place], task, calibration.temperature)
            for place, task, calibration in zip(slices_of(tasks), tasks, calibrations, strict=True)
        ],
        axis=1,
    )


def decisions(
    probabilities: NDArray[np.float64], task: Task, calibration: TaskCalibration
) -> NDArray[np.bool_]:
    """Returns which labels a task answers with, shape (rows, labels).

    One a row, the most likely; in a multi-label task all that are above their thresholds.
    """
    if task.is_multi_label:
        decided: NDArray[np.bool_] = probabilities > np.array(calibration.thresholds)
    else:
        best = probabilities.argmax(axis=1)
        decided = np.equal(np.arange(len(task.labels)), best[:, None])
    return decided


def all_decisions(
    probabilities: NDArray[np.float64],
    tasks: Sequence[Task],
    calibrations: Sequence[TaskCalibration],
) -> NDArray[np.bool_]:
    """Returns which labels all tasks answer with, shape (rows, labels of all tasks)."""
    return np.concatenate(
        [
            decisions(probabilities[:, place], task, calibration)
            for place, task, calibration in zip(slices_of(tasks), tasks, calibrations, strict=True)
        ],
        axis=1,
    )


@dataclass(frozen=True)
class Truth:
    """What is true of some examples, in all tasks.

    Attributes:
        tasks: in the order of the logits.
        has_label: which labels each example has, shape (examples, labels of all tasks).
        is_labelled: in which tasks each example is labelled, shape (examples, tasks).
    """

    tasks: tuple[Task, ...]
    has_label: NDArray[np.bool_]
    is_labelled: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.has_label)

    def take(self, rows: NDArray[np.int64]) -> Truth:
        """Returns what is true of the examples at `rows`, shape (selected,)."""
        return Truth(self.tasks, self.has_label[rows], self.is_labelled[rows])


def example_f1(decided: NDArray[np.bool_], has_label: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns how right each answer is, shape (examples,), 0 to 1.

    F1 of the labels that are answered against those that are true; 1 where both are none. With one
    label it is 1 for the right one and 0 for another, and its mean is the accuracy.

    Args:
        decided: shape (examples, labels).
        has_label: the same shape.
    """
    both = decided.sum(axis=1) + has_label.sum(axis=1)
    shared = 2.0 * (decided & has_label).sum(axis=1)
    return np.where(both > 0, shared / np.maximum(both, 1), 1.0)


def rightness(decided: NDArray[np.bool_], truth: Truth) -> NDArray[np.float64]:
    """Returns how right an example's answers are, shape (examples,): the mean over its tasks.

    Args:
        decided: shape (examples, labels of all tasks).
        truth: tasks that an example is not labelled in do not count for it.
    """
    right = np.stack(
        [
            example_f1(decided[:, place], truth.has_label[:, place])
            for place in slices_of(truth.tasks)
        ],
        axis=1,
    )  # (examples, tasks)
    mean: NDArray[np.float64] = np.average(right, axis=1, weights=truth.is_labelled)
    return mean
