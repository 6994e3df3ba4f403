"""What a compression costs: accuracy, and answers that are no longer the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from exporters.training import Features, LabelledFeatures, fit_head, logits_of
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from exporters.heads import FusionHead
    from exporters.training import TrainedVariant


@dataclass(frozen=True)
class Cost:
    """What one set of modalities loses.

    Attributes:
        accuracy: of the compressed variant, 0 to 1.
        loss: the original's accuracy minus that; negative where it gained.
        changed_ratio: share of answers that differ from the original's.
        examples: how many were asked.
    """

    accuracy: float
    loss: float
    changed_ratio: float
    examples: int


Costs = dict[ModalitySet, Cost]


def judge(
    original: TrainedVariant, features: Features, head: FusionHead, rows: NDArray[np.int64]
) -> Costs:
    """Compares a compressed variant with its original on some examples.

    Args:
        original: what was compressed.
        features: of all examples, by the compressed encoders.
        head: what classifies them.
        rows: positions of the examples that are asked.
    """
    positions = torch.from_numpy(rows)
    truth = torch.from_numpy(original.table.label_indices)[positions]
    costs = {}
    for modalities in ModalitySet:
        before = _answers(original.head, original.features.take(positions), modalities)
        after = _answers(head, features.take(positions), modalities)
        accuracy, accuracy_before = (
            float((answers == truth).double().mean()) for answers in (after, before)
        )
        costs[modalities] = Cost(
            accuracy=accuracy,
            loss=accuracy_before - accuracy,
            changed_ratio=float((after != before).double().mean()),
            examples=len(rows),
        )
    return costs


def worst_loss(costs: Mapping[ModalitySet, Cost]) -> float:
    """The largest loss of accuracy of any set of modalities."""
    return max(cost.loss for cost in costs.values())


def refit_head(original: TrainedVariant, features: Features) -> FusionHead:
    """Fits the recipe's head again, on the compressed encoders' features of the same split."""
    labels = torch.from_numpy(original.table.label_indices)

    def part(positions: NDArray[np.int64]) -> LabelledFeatures:
        rows = torch.from_numpy(positions)
        return LabelledFeatures(features.take(rows), labels[rows])

    split = original.split
    fitted = fit_head(
        original.recipe, part(split.train), part(split.validation), len(original.labels)
    )
    return fitted.head


def _answers(head: FusionHead, features: Features, modalities: ModalitySet) -> torch.Tensor:
    return logits_of(head, features, modalities).argmax(dim=-1)
