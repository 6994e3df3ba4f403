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
    reliability,
    score_labels,
    wilson_interval,
)
from exporters.training import logits_of
from gateway.contract.manifest import ModalitySet, Quality

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from exporters.training import TrainedVariant


@dataclass(frozen=True)
class ModalityQuality:
    """What one set of modalities is worth.

    Attributes:
        modalities: what the head saw.
        temperature: what the logits are divided by.
        quality: the figures that the manifest carries.
        accuracy_interval: 95 % interval of the accuracy.
        label_scores: precision, recall and F1 of each label.
        confusion: counts by true (rows) and predicted label, shape (labels, labels).
        calibrated: reliability with the temperature.
        uncalibrated: reliability without.
    """

    modalities: ModalitySet
    temperature: float
    quality: Quality
    accuracy_interval: tuple[float, float]
    label_scores: tuple[LabelScore, ...]
    confusion: NDArray[np.int64]
    calibrated: Reliability
    uncalibrated: Reliability


def measure_quality(variant: TrainedVariant) -> dict[ModalitySet, ModalityQuality]:
    """Measures a variant on its held-out examples; nothing was chosen by them."""
    return {modalities: _measure(variant, modalities) for modalities in ModalitySet}


def majority_accuracy(variant: TrainedVariant) -> float:
    """Returns the held-out accuracy of always answering the commonest training label."""
    truth = variant.table.label_indices
    commonest = np.bincount(truth[variant.split.train]).argmax()
    return float(np.mean(truth[variant.split.holdout] == commonest))


def quality_of(  # what is measured, and with what
    modalities: ModalitySet,
    temperature: float,
    probabilities: NDArray[np.float64],
    uncalibrated: NDArray[np.float64],
    truth: NDArray[np.int64],
    labels: Sequence[str],
) -> ModalityQuality:
    """Measures answers.

    Args:
        modalities: what the answers are made from.
        temperature: what calibrated them.
        probabilities: of each label, shape (examples, labels).
        uncalibrated: the same without the temperature.
        truth: index of the true label, shape (examples,).
        labels: names of the labels, in order.
    """
    predicted = probabilities.argmax(axis=-1)
    calibrated = reliability(probabilities, truth)
    right = int(np.sum(predicted == truth))
    scores = score_labels(predicted, truth, labels)
    return ModalityQuality(
        modalities=modalities,
        temperature=temperature,
        quality=Quality(
            examples=len(truth),
            accuracy=right / len(truth),
            macro_f1=macro_f1(scores),
            expected_calibration_error=calibrated.expected_calibration_error,
        ),
        accuracy_interval=wilson_interval(right, len(truth)),
        label_scores=scores,
        confusion=confusion(predicted, truth, len(labels)),
        calibrated=calibrated,
        uncalibrated=reliability(uncalibrated, truth),
    )


def _measure(variant: TrainedVariant, modalities: ModalitySet) -> ModalityQuality:
    features = variant.features.take(torch.from_numpy(variant.split.holdout))
    logits = logits_of(variant.head, features, modalities).double()
    temperature = variant.temperatures[modalities]
    return quality_of(
        modalities,
        temperature,
        (logits / temperature).softmax(dim=-1).numpy(),
        logits.softmax(dim=-1).numpy(),
        variant.table.label_indices[variant.split.holdout],
        variant.labels,
    )
