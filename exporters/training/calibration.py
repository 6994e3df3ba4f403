"""Calibration: one number a task that makes its confidence honest, and a threshold a label.

Temperature scaling of Guo et al. 2017, "On Calibration of Modern Neural Networks". Each set of
modalities has its own: a head is less sure, and differently wrong, when it sees only one side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from exporters.tasks import ONLY_TASK, Task, TaskCalibration, slices_of, task_probabilities
from exporters.training.objective import is_labelled, task_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from exporters.recipe_sections import TaskRecipe
    from exporters.training.objective import Targets

# A handful of validation examples that are all right would drive the temperature to zero.
_MIN_TEMPERATURE: Final = 0.05
_MAX_TEMPERATURE: Final = 20.0
_UNSEEN_THRESHOLD: Final = 0.5  # of a label that no validation example has


def calibrate(
    asked: Sequence[TaskRecipe], tasks: Sequence[Task], logits: Tensor, targets: Targets
) -> tuple[TaskCalibration, ...]:
    """Calibrates every task for one set of modalities.

    Args:
        asked: what the recipe says of the tasks.
        tasks: in the order of the logits.
        logits: shape (examples, labels of all tasks), of examples the head was not fitted on.
        targets: their truth.
    """
    found = []
    for recipe, task, place, truth in zip(
        asked, tasks, slices_of(tasks), targets.by_task, strict=True
    ):
        known = is_labelled(truth)
        seen, answers = logits[known][:, place], truth[known]
        temperature = _fit_temperature(seen, task, answers)
        thresholds: tuple[float, ...] = ()
        if task.is_multi_label:
            probabilities = task_probabilities(seen.numpy(), task, temperature)
            thresholds = _thresholds(recipe, task, probabilities, answers.numpy() > 0)
        found.append(TaskCalibration(temperature, thresholds))
    return tuple(found)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Finds the temperature that gives the smallest negative log-likelihood of one label.

    Args:
        logits: shape (examples, labels), float32, of examples the head was not fitted on.
        labels: index of the true label, shape (examples,), int64.

    Returns:
        The temperature, within 0.05 to 20; probabilities = softmax(logits / temperature).
    """
    return _fit_temperature(logits, Task(ONLY_TASK, ()), labels)


def fit_f1_threshold(probabilities: NDArray[np.float64], applies: NDArray[np.bool_]) -> float:
    """Finds the threshold that gives one label the largest F1.

    Lipton et al. 2014, "Optimal Thresholding of Classifiers to Maximize F1 Measure".

    Args:
        probabilities: of the label, shape (examples,).
        applies: whether it does, shape (examples,).

    Returns:
        The middle between the least probability that is taken and the next below; one half where
        the label applies to no example.
    """
    if not applies.any():
        return _UNSEEN_THRESHOLD
    order = np.argsort(-probabilities, kind="stable")
    falling = np.append(probabilities[order], 0.0)
    taken = np.arange(1, len(applies) + 1)
    f1 = 2 * np.cumsum(applies[order]) / (taken + applies.sum())
    f1[falling[:-1] == falling[1:]] = -1.0  # equal probabilities are taken together or not at all
    last = int(f1.argmax())
    return float((falling[last] + falling[last + 1]) / 2)


def _thresholds(
    recipe: TaskRecipe, task: Task, probabilities: NDArray[np.float64], applies: NDArray[np.bool_]
) -> tuple[float, ...]:
    wanted = recipe.thresholds
    if isinstance(wanted, float):
        return (wanted,) * len(task.labels)
    fixed = wanted if isinstance(wanted, dict) else {}
    return tuple(
        fixed[label]
        if label in fixed
        else fit_f1_threshold(probabilities[:, column], applies[:, column])
        for column, label in enumerate(task.labels)
    )


def _fit_temperature(logits: Tensor, task: Task, truth: Tensor) -> float:
    logits = logits.detach().clone().double()
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimiser.zero_grad()
        bounded = log_temperature.exp().clamp(_MIN_TEMPERATURE, _MAX_TEMPERATURE)
        value = task_loss(logits / bounded, task, truth)
        value.backward()  # type: ignore[no-untyped-call] # torch ships this method untyped
        return value.item()

    optimiser.step(loss)  # type: ignore[no-untyped-call] # torch ships this method untyped
    return min(max(log_temperature.exp().item(), _MIN_TEMPERATURE), _MAX_TEMPERATURE)
