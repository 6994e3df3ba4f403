"""What a trained variant, or a dual tower, gives to its drift reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from exporters.data import group_examples
from exporters.drift.reference import fit_reference
from exporters.drift.sample import HeldOutAnswers, ReferenceData
from exporters.tasks import slices_of, task_probabilities
from exporters.training import logits_of
from gateway.contract.drift.reference import ONLY_TASK
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from exporters.alignment import AlignedTowers
    from exporters.training import Features, TrainedVariant
    from gateway.contract.drift.reference import DriftReference

_TRAIN_RATIO: Final = 0.6


def reference_of_variant(variant: TrainedVariant) -> DriftReference:
    """Fits the drift reference of a classifier."""
    return fit_reference(data_of_variant(variant))


def data_of_variant(variant: TrainedVariant) -> ReferenceData:
    """What a classifier's reference is fitted from."""
    data = _data_of(variant)
    features = variant.features.take(torch.from_numpy(data.others))
    return replace(data, answers=answers_of_variant(variant, features))


def answers_of_variant(
    variant: TrainedVariant, features: Features
) -> dict[str, dict[ModalitySet, HeldOutAnswers]]:
    """Returns what a variant says of features, by task and modality set, as a gateway would."""
    names = [task.name if variant.recipe.tasks else ONLY_TASK for task in variant.tasks]
    answers: dict[str, dict[ModalitySet, HeldOutAnswers]] = {name: {} for name in names}
    for modalities in ModalitySet:
        logits = logits_of(variant.head, features, modalities).numpy()
        for name, task, place, calibration in zip(
            names,
            variant.tasks,
            slices_of(variant.tasks),
            variant.calibrations[modalities],
            strict=True,
        ):
            probabilities = task_probabilities(logits[:, place], task, calibration.temperature)
            best = probabilities.argmax(axis=1)
            answers[name][modalities] = HeldOutAnswers(
                labels=[task.labels[index] for index in best],
                confidence=probabilities[np.arange(len(best)), best],
            )
    return answers


def reference_of_towers(towers: AlignedTowers) -> DriftReference:
    """Fits the drift reference of a dual tower, which answers with labels of each request.

    Its own split keeps whole labels apart: held-out examples are of other kinds than the rest, and
    no sample of what it is asked. The encoders are frozen, so any split by groups serves.
    """
    data = _data_of(towers)
    groups = np.random.default_rng(data.seed).permutation(np.unique(data.groups))
    is_train = np.isin(data.groups, groups[: int(_TRAIN_RATIO * len(groups))])
    return fit_reference(
        replace(data, train=np.flatnonzero(is_train), others=np.flatnonzero(~is_train))
    )


def _data_of(source: TrainedVariant | AlignedTowers) -> ReferenceData:
    recipe, table, split = source.recipe, source.inputs.table, source.split
    image = source.features.image.numpy()
    return ReferenceData(
        image=image,
        text=source.features.text.numpy(),
        examples=table.examples,
        groups=group_examples(table.examples, image, recipe.data.twin_cosine),
        train=split.train,
        others=np.concatenate([split.validation, split.holdout]),
        answers={},
        seed=recipe.seed,
    )
