"""What a head is fitted to: the loss of all tasks together, on the examples that are labelled.

Each task's loss is the negative log-likelihood of an example's answer: cross-entropy for one label,
the sum of the labels' binary cross-entropies for several. It is the mean over the examples that
are labelled in that task; what nobody labelled has no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from exporters.data.examples import UNLABELLED
from exporters.tasks import slices_of

if TYPE_CHECKING:
    from torch import Tensor

    from exporters.data import ExampleTable
    from exporters.recipe import Recipe
    from exporters.tasks import Task


@dataclass(frozen=True)
class Targets:
    """The truth of some examples.

    Attributes:
        by_task: for a task of one label the index of each example's label, shape (examples,),
            int64, `UNLABELLED` where there is none; for several labels shape (examples, labels),
            float32, 1 where the label applies, and NaN all along an unlabelled row.
    """

    by_task: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.by_task[0])

    def to(self, device: torch.device) -> Targets:
        """Returns the same on a device."""
        return Targets(tuple(each.to(device) for each in self.by_task))

    def take(self, rows: Tensor) -> Targets:
        """Returns the truth of the examples at `rows`, shape (selected,), int64."""
        return Targets(tuple(each[rows] for each in self.by_task))


def targets_of(table: ExampleTable) -> Targets:
    """Returns the truth of a table's examples, in all its tasks."""
    by_task = []
    for number, (task, place) in enumerate(zip(table.tasks, slices_of(table.tasks), strict=True)):
        if task.is_multi_label:
            applies = torch.from_numpy(table.has_label[:, place]).float()
            applies[torch.from_numpy(~table.is_labelled[:, number])] = torch.nan
            by_task.append(applies)
        else:
            by_task.append(torch.from_numpy(table.truth(number)))
    return Targets(tuple(by_task))


@dataclass(frozen=True)
class Objective:
    """The loss of a recipe's tasks.

    Attributes:
        tasks: in the order of the logits.
        weights: of each task's loss in the sum.
        class_weights: for each task of one label a weight a label, shape (labels,), or None.
    """

    tasks: tuple[Task, ...]
    weights: tuple[float, ...]
    class_weights: tuple[Tensor | None, ...]

    @classmethod
    def of(cls, recipe: Recipe, tasks: tuple[Task, ...], train: Targets) -> Objective:
        """Makes the objective of a recipe; rare labels are weighed by the training examples."""
        is_balanced = recipe.training.class_weights == "balanced"
        # Several labels stay as they are: weights would shift every probability, and what rarity
        # does to decisions is mended by the thresholds.
        class_weights = tuple(
            _balanced_weights(truth, len(task.labels))
            if is_balanced and not task.is_multi_label
            else None
            for task, truth in zip(tasks, train.by_task, strict=True)
        )
        return cls(tasks, tuple(task.loss_weight for task in recipe.asked), class_weights)

    def to(self, device: torch.device) -> Objective:
        """Returns the same on a device."""
        weights = tuple(None if each is None else each.to(device) for each in self.class_weights)
        return replace(self, class_weights=weights)

    def loss(self, logits: Tensor, targets: Targets, *, is_weighted: bool) -> Tensor:
        """Returns the weighted sum of the tasks' losses, a scalar.

        Args:
            logits: shape (examples, labels of all tasks).
            targets: their truth.
            is_weighted: whether labels are weighed by `class_weights`, as in training.
        """
        class_weights = self.class_weights if is_weighted else (None,) * len(self.tasks)
        losses = [
            weight * task_loss(logits[:, place], task, truth, class_weight)
            for place, task, truth, weight, class_weight in zip(
                slices_of(self.tasks),
                self.tasks,
                targets.by_task,
                self.weights,
                class_weights,
                strict=True,
            )
        ]
        return torch.stack(losses).sum()

    def accuracy(self, logits: Tensor, targets: Targets) -> float:
        """Returns the mean over the tasks of the share of right answers, 0 to 1.

        Of several labels each is an answer, at a probability of one half.
        """
        shares = []
        for place, task, truth in zip(
            slices_of(self.tasks), self.tasks, targets.by_task, strict=True
        ):
            known = is_labelled(truth)
            answer = logits[known][:, place]
            right = (
                (answer > 0) == (truth[known] > 0)
                if task.is_multi_label
                else answer.argmax(dim=-1) == truth[known]
            )
            shares.append(float(right.double().mean()))
        return sum(shares) / len(shares)


def task_loss(
    logits: Tensor, task: Task, truth: Tensor, class_weight: Tensor | None = None
) -> Tensor:
    """Returns the mean loss of one task over the labelled examples; 0 where there are none."""
    known = is_labelled(truth)
    if not known.all():
        logits, truth = logits[known], truth[known]
    if not len(truth):
        return logits.sum() * 0.0
    if task.is_multi_label:
        total = functional.binary_cross_entropy_with_logits(
            logits, truth.to(logits.dtype), reduction="sum"
        )
        return total / len(truth)
    return functional.cross_entropy(logits, truth, weight=class_weight)


def distillation_loss(
    logits: Tensor, taught: Tensor, tasks: tuple[Task, ...], temperature: float
) -> Tensor:
    """Returns how far answers are from a teacher's, a scalar: the sum of the tasks' divergences.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network"; of several labels each is a
    distribution over yes and no. Times the square of the temperature, so that gradients keep their
    size.

    Args:
        logits: shape (examples, labels of all tasks).
        taught: the teacher's, the same shape.
        tasks: in the order of the logits.
        temperature: softens both.
    """
    divergences = []
    for place, task in zip(slices_of(tasks), tasks, strict=True):
        said, meant = logits[:, place] / temperature, taught[:, place] / temperature
        if task.is_multi_label:
            said, meant = (
                torch.stack([functional.logsigmoid(each), functional.logsigmoid(-each)], dim=-1)
                for each in (said, meant)
            )
        else:
            said, meant = said.log_softmax(dim=-1), meant.log_softmax(dim=-1)
        divergences.append(functional.kl_div(said, meant, reduction="batchmean", log_target=True))
    return temperature**2 * torch.stack(divergences).sum()


def is_labelled(truth: Tensor) -> Tensor:
    """Returns which examples are labelled in a task, shape (examples,), bool."""
    return ~truth.isnan().any(dim=1) if truth.dim() == 2 else truth != UNLABELLED


def _balanced_weights(truth: Tensor, labels: int) -> Tensor:
    """Returns a weight a label, shape (labels,): rare labels count as much as common ones."""
    known = truth[is_labelled(truth)]
    counts = torch.bincount(known, minlength=labels).clamp_min(1)
    return len(known) / (labels * counts.float())
