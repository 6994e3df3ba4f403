"""Measures a dual tower on labels that nothing was trained or calibrated on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import expit, softmax

from exporters.alignment.classes import positions_among
from exporters.alignment.projections import embeddings_of
from exporters.evaluation.metrics import wilson_interval
from exporters.evaluation.quality import TaskQuality, quality_of
from gateway.contract.zero_shot import label_logits

if TYPE_CHECKING:
    import numpy.typing as npt

    from exporters.alignment import AlignedTowers, Scoring
    from gateway.contract.manifest import ModalitySet


@dataclass(frozen=True)
class ZeroShotQuality:
    """What a dual tower is worth on labels it never saw.

    Attributes:
        by_modalities: with each set of modalities, among the held-out labels.
        mean_recall: accuracy with every label counted alike, for each set of modalities.
        chance: accuracy of guessing: one over the number of held-out labels.
        majority: accuracy of always answering the commonest held-out label. It knows which that is,
            which nobody does who has only the labels.
        majority_interval: its 95 % interval.
        accuracy_among_all: accuracy where the labels of training stand beside the held-out ones.
    """

    by_modalities: dict[ModalitySet, TaskQuality]
    mean_recall: dict[ModalitySet, float]
    chance: float
    majority: float
    majority_interval: tuple[float, float]
    accuracy_among_all: dict[ModalitySet, float]


def measure_zero_shot(towers: AlignedTowers) -> ZeroShotQuality:
    """Measures a dual tower on its held-out labels; nothing was chosen by them."""
    table, split = towers.inputs.table, towers.split
    truth = table.label_indices[split.holdout]
    places = positions_among(truth, split.holdout_labels)
    directions = towers.label_directions(towers.holdout_labels).numpy()
    all_directions = towers.label_directions(table.labels).numpy()
    features = towers.features.take(torch.from_numpy(split.holdout))

    by_modalities, mean_recall, among_all = {}, {}, {}
    for modalities, scoring in towers.scorings.items():
        embeddings = embeddings_of(towers.projections, features, modalities).numpy()
        logits = logits_of_scoring(embeddings, directions, scoring)
        quality = quality_of(
            modalities,
            scoring.temperature,
            activate(logits / scoring.temperature, scoring),
            activate(logits, scoring),
            places,
            towers.holdout_labels,
        )
        by_modalities[modalities] = quality
        recalls = [each.recall for each in quality.label_scores if each.examples > 0]
        mean_recall[modalities] = float(np.mean(recalls))
        answers = logits_of_scoring(embeddings, all_directions, scoring).argmax(axis=-1)
        among_all[modalities] = float(np.mean(answers == truth))
    commonest = int(np.bincount(places).max())
    return ZeroShotQuality(
        by_modalities,
        mean_recall,
        1 / len(towers.holdout_labels),
        commonest / len(places),
        wilson_interval(commonest, len(places)),
        among_all,
    )


def logits_of_scoring(
    embeddings: npt.NDArray[np.float32], directions: npt.NDArray[np.float32], scoring: Scoring
) -> npt.NDArray[np.float32]:
    """Scores embeddings (examples, dim) against labels (labels, dim): (examples, labels)."""
    return label_logits(embeddings, directions, scoring.logit_scale, scoring.logit_bias)


def activate(logits: npt.NDArray[np.float32], scoring: Scoring) -> npt.NDArray[np.float64]:
    """Turns logits (examples, labels) into the scores that a caller sees."""
    exact = logits.astype(np.float64)
    scores: npt.NDArray[np.float64] = (
        softmax(exact, axis=-1) if scoring.activation == "softmax" else expit(exact)
    )
    return scores
