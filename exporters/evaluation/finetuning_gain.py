"""What fine-tuning brought against the frozen start, on the same held-out examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exporters.evaluation.statistics import bootstrap_intervals, sign_flip_p
from exporters.training.finetuning.baseline import holdout_rightness, read_baseline

if TYPE_CHECKING:
    from exporters.training import TrainedVariant
    from gateway.contract.manifest import ModalitySet


@dataclass(frozen=True)
class Gain:
    """One set of modalities, frozen against tuned.

    Attributes:
        frozen, tuned: held-out accuracy, 0 to 1.
        interval: 95 % interval of the difference, by resampling groups.
        p: two-sided, of "neither is right more often", by a paired permutation of groups.
    """

    frozen: float
    tuned: float
    interval: tuple[float, float]
    p: float


def finetuning_gain(variant: TrainedVariant) -> dict[ModalitySet, Gain]:
    """Compares a fine-tuned variant with its frozen start; empty for a frozen variant."""
    baseline = read_baseline(variant.run_folder)
    if baseline is None:
        return {}
    groups = np.array(baseline.groups)
    gains = {}
    for modalities, was_right in baseline.right.items():
        right = holdout_rightness(variant, modalities)
        differences = right - np.array(was_right)
        [interval] = bootstrap_intervals(differences[None], groups, variant.recipe.seed)
        gains[modalities] = Gain(
            frozen=float(np.mean(was_right)),
            tuned=float(right.mean()),
            interval=(float(interval[0]), float(interval[1])),
            p=sign_flip_p(differences, groups, variant.recipe.seed),
        )
    return gains
