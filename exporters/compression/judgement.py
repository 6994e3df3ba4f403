"""What a compression costs: accuracy, and answers that are no longer the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from exporters.tasks import all_decisions, all_probabilities, rightness
from exporters.training import Features, LabelledFeatures, fit_head, logits_of, targets_of
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
    truth = original.table.facts.take(rows)
    costs = {}
    for modalities in ModalitySet:
        before = _answers(original, original.head, original.features.take(positions), modalities)
        after = _answers(original, head, features.take(positions), modalities)
        accuracy, accuracy_before = (
            float(rightness(answers, truth).mean()) for answers in (after, before)
        )
        costs[modalities] = Cost(
            accuracy=accuracy,
            loss=accuracy_before - accuracy,
            changed_ratio=float((after != before).any(axis=1).mean()),
            examples=len(rows),
        )
    return costs


def worst_loss(costs: Mapping[ModalitySet, Cost]) -> float:
    """The largest loss of accuracy of any set of modalities."""
    return max(cost.loss for cost in costs.values())


def refit_head(original: TrainedVariant, features: Features) -> FusionHead:
    """Fits the recipe's head again, on the compressed encoders' features of the same split."""
    targets = targets_of(original.table)

    def part(positions: NDArray[np.int64]) -> LabelledFeatures:
        rows = torch.from_numpy(positions)
        return LabelledFeatures(features.take(rows), targets.take(rows))

    split = original.split
    fitted = fit_head(original.recipe, part(split.train), part(split.validation), original.tasks)
    return fitted.head


def _answers(
    original: TrainedVariant, head: FusionHead, features: Features, modalities: ModalitySet
) -> NDArray[np.bool_]:
    """Which labels a head answers with, calibrated as the original is."""
    calibrations = original.calibrations[modalities]
    logits = logits_of(head, features, modalities).numpy()
    probabilities = all_probabilities(logits, original.tasks, calibrations)
    return all_decisions(probabilities, original.tasks, calibrations)
