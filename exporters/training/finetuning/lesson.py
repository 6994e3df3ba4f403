"""What is learned from each row: its label, under the loss that the head alone was fitted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from exporters.training.fit import balanced_weights, drop_modalities
from exporters.training.logits import logits_of
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from torch import Tensor

    from exporters.heads import FusionHead
    from exporters.recipe import Recipe
    from exporters.training.features import Features


@dataclass(frozen=True)
class Lesson:
    """Labels of all rows of a table, and the loss on them.

    Attributes:
        labels: index of each row's label, shape (rows,), int64.
        class_weights: weight a label, shape (labels,), or None.
        modality_dropout: share of training rows that lose their text, and as many their image.
    """

    labels: Tensor
    class_weights: Tensor | None
    modality_dropout: float

    @classmethod
    def of(cls, recipe: Recipe, labels: Tensor, train_rows: Tensor, label_count: int) -> Lesson:
        """Makes the lesson of a recipe; rare labels are weighed by the training rows."""
        is_balanced = recipe.training.class_weights == "balanced"
        weights = balanced_weights(labels[train_rows], label_count) if is_balanced else None
        return cls(labels, weights, recipe.head.modality_dropout)

    def loss(self, head: FusionHead, features: Features, rows: Tensor) -> Tensor:
        """Training loss of some rows, with modality dropout; a scalar with gradients."""
        device = features.text.device
        has_text, has_image = drop_modalities(len(rows), self.modality_dropout)
        prepared = head.prepare(
            features.text, features.image, has_text.to(device), has_image.to(device)
        )
        truth = self.labels[rows].to(device)
        weights = None if self.class_weights is None else self.class_weights.to(device)
        losses = [
            functional.cross_entropy(logits, truth, weight=weights)
            for logits in head.fitted_logits(*prepared)
        ]
        return torch.stack(losses).sum()

    def judge(self, head: FusionHead, features: Features, rows: Tensor) -> tuple[float, float]:
        """Mean validation loss over the sets of modalities, and the accuracy with both."""
        truth = self.labels[rows]
        answers = [logits_of(head, features, modalities) for modalities in ModalitySet]
        losses = [float(functional.cross_entropy(each, truth)) for each in answers]
        accuracy = float((answers[0].argmax(dim=-1) == truth).double().mean())
        return sum(losses) / len(losses), accuracy
