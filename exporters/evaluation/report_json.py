"""A run's report for machines: every figure of every task."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from exporters.evaluation.finetuning_gain import finetuning_gain
from exporters.evaluation.parity import read_proofs
from exporters.evaluation.quality import majority_accuracy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporters.evaluation.quality import ModalityQuality, TaskQuality
    from exporters.training import TrainedVariant
    from gateway.contract.manifest import ModalitySet


def as_json(
    variant: TrainedVariant, qualities: Mapping[ModalitySet, ModalityQuality]
) -> dict[str, Any]:
    """Returns the content of `report.json`."""
    found = by_task(variant, qualities)
    content = {
        "variant": variant.recipe.name,
        "recipe_digest": variant.recipe.recipe_digest,
        "data_digest": variant.data_digest,
        "labels": variant.labels,
        "examples": {part: len(rows) for part, rows in vars(variant.split).items()},
        "majority_accuracy": majority_accuracy(variant),
        "learned_weights": variant.head.learned_weights(),
        # Of the first task; where there are more, all of them follow under `tasks`.
        "modalities": {name: _figures(each) for name, each in found[0].items()},
        "fine_tuning": {name: asdict(gain) for name, gain in finetuning_gain(variant).items()},
        "parity": {name: asdict(proof) for name, proof in read_proofs(variant.run_folder).items()},
    }
    if len(found) > 1:
        content["tasks"] = {
            task.name: {
                "labels": task.labels,
                "majority_accuracy": majority_accuracy(variant, number),
                "modalities": {name: _figures(each) for name, each in found[number].items()},
            }
            for number, task in enumerate(variant.tasks)
        }
    return content


def _figures(quality: TaskQuality) -> dict[str, Any]:
    figures = {
        **quality.quality.model_dump(),
        "accuracy_interval_95": quality.accuracy_interval,
        "temperature": quality.calibration.temperature,
        "uncalibrated_expected_calibration_error": (
            quality.uncalibrated.expected_calibration_error
        ),
        "labels": [asdict(score) for score in quality.label_scores],
        "reliability": {name: bins.tolist() for name, bins in vars(quality.calibrated).items()},
    }
    if quality.confusion is not None:
        figures["confusion"] = quality.confusion.tolist()
    if quality.several is not None:
        figures |= asdict(quality.several)
        figures["thresholds"] = dict(
            zip(quality.task.labels, quality.calibration.thresholds, strict=True)
        )
    return figures


def by_task(
    variant: TrainedVariant, qualities: Mapping[ModalitySet, ModalityQuality]
) -> list[dict[ModalitySet, TaskQuality]]:
    """Returns what was measured of each task, for each set of modalities."""
    return [
        {modalities: each.tasks[number] for modalities, each in qualities.items()}
        for number in range(len(variant.tasks))
    ]
