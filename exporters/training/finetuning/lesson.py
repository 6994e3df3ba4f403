"""What is learned from each row: its label, under the loss that the head alone was fitted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from exporters.training.logits import logits_of
from exporters.training.objective import Objective
from exporters.training.presence import drop_modalities, training_logits
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from torch import Tensor

    from exporters.heads import FusionHead
    from exporters.recipe import Recipe
    from exporters.tasks import Task
    from exporters.training.features import Features
    from exporters.training.objective import Targets


@dataclass(frozen=True)
class Lesson:
    """Truth of all rows of a table, and the loss on it.

    Attributes:
        targets: the rows' labels in all tasks.
        objective: the loss of all tasks.
        modality_dropout: share of training rows that lose their text, and as many their image.
    """

    targets: Targets
    objective: Objective
    modality_dropout: float

    @classmethod
    def of(
        cls, recipe: Recipe, tasks: tuple[Task, ...], targets: Targets, train_rows: Tensor
    ) -> Lesson:
        """Makes the lesson of a recipe; rare labels are weighed by the training rows."""
        objective = Objective.of(recipe, tasks, targets.take(train_rows))
        return cls(targets, objective, recipe.head.modality_dropout)

    def loss(self, head: FusionHead, features: Features, rows: Tensor) -> Tensor:
        """Training loss of some rows, with modality dropout; a scalar with gradients."""
        device = features.text.device
        has_text, has_image = drop_modalities(len(rows), self.modality_dropout)
        fitted = training_logits(head, features, has_text.to(device), has_image.to(device))
        targets = self.targets.take(rows).to(device)
        objective = self.objective.to(device)
        losses = [objective.loss(logits, targets, is_weighted=True) for logits in fitted]
        return torch.stack(losses).sum()

    def judge(self, head: FusionHead, features: Features, rows: Tensor) -> tuple[float, float]:
        """Mean validation loss over the sets of modalities, and the accuracy with both."""
        targets = self.targets.take(rows)
        answers = [logits_of(head, features, modalities) for modalities in ModalitySet]
        losses = [float(self.objective.loss(each, targets, is_weighted=False)) for each in answers]
        return sum(losses) / len(losses), self.objective.accuracy(answers[0], targets)
