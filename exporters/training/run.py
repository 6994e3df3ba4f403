"""From a recipe to a trained variant; one of the same inputs is read, not trained again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import torch

from exporters.data import group_examples, load_table, split_by_group
from exporters.digests import digest_of_json, digest_of_source
from exporters.encoders import load_image_encoder, load_text_encoder
from exporters.errors import NotAClassifierError
from exporters.heads import require_head
from exporters.progress import progress
from exporters.training.calibration import calibrate
from exporters.training.features import load_features
from exporters.training.finetuning.baseline import frozen_baseline
from exporters.training.finetuning.files import FineTuningFiles, read_tuned_weights
from exporters.training.finetuning.run import fine_tune, frozen_recipe
from exporters.training.finetuning.tuned_encoders import with_tuned_weights
from exporters.training.fit import Epoch, LabelledFeatures, fit_head
from exporters.training.logits import logits_of
from exporters.training.objective import targets_of
from exporters.training.sample import write_sample
from exporters.training.variant import (
    TrainedVariant,
    TrainingInputs,
    is_saved,
    read_variant,
    save_variant,
)
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from exporters.data import Split
    from exporters.recipe import Recipe
    from exporters.tasks import TaskCalibration
    from exporters.training.features import Features
    from exporters.training.fit import FittedHead
    from exporters.workspace import Workspace

_CODE: Final = (
    "exporters.data.grouping",
    "exporters.data.split",
    "exporters.data.twins",
    "exporters.heads",
    "exporters.tasks",
    "exporters.training",
)


def train(recipe: Recipe, workspace: Workspace) -> TrainedVariant:
    """Trains a variant, or reads it when nothing it depends on has changed.

    Raises:
        ExporterError: the recipe, its data or its encoders cannot be used.
    """
    if recipe.dual_tower is not None:
        raise NotAClassifierError(recipe.name)
    inputs = load_inputs(recipe, workspace)
    run_folder = _run_folder(inputs, workspace)
    if is_saved(run_folder):
        variant = _read_variant(inputs, run_folder, workspace)
    elif recipe.finetune.is_on:
        variant = _fine_tune_variant(inputs, run_folder, workspace)
    else:
        variant = _fit_variant(inputs, _load_features(inputs, workspace), run_folder)
    write_sample(variant, workspace)
    return variant


def load_trained(recipe: Recipe, workspace: Workspace) -> TrainedVariant | None:
    """Reads a trained variant; None when it was not trained from these very inputs.

    Raises:
        ExporterError: the recipe, its data or its encoders cannot be used.
    """
    inputs = load_inputs(recipe, workspace)
    run_folder = _run_folder(inputs, workspace)
    if not is_saved(run_folder):
        return None
    return _read_variant(inputs, run_folder, workspace)


def load_inputs(recipe: Recipe, workspace: Workspace) -> TrainingInputs:
    """Loads a recipe's encoders and its table of sound examples.

    Raises:
        ExporterError: the recipe, its data or its encoders cannot be used.
    """
    text_encoder = load_text_encoder(recipe.text_encoder)
    image_encoder = load_image_encoder(recipe.image_encoder)
    table = load_table(recipe.data, image_encoder.preprocessing, workspace, recipe.asked)
    return TrainingInputs(recipe, table, text_encoder, image_encoder)


def _load_features(inputs: TrainingInputs, workspace: Workspace) -> Features:
    return load_features(
        inputs.table,
        inputs.text_encoder,
        inputs.image_encoder,
        workspace,
        has_sequences=require_head(inputs.recipe.head.type).is_over_sequences,
    )


def _run_folder(inputs: TrainingInputs, workspace: Workspace) -> Path:
    digest = digest_of_json(
        {
            "recipe": inputs.recipe.training_digest,
            "data": inputs.table.digest,
            "text_encoder": inputs.text_encoder.digest,
            "image_encoder": inputs.image_encoder.digest,
            "code": digest_of_source(_CODE),
            "torch": torch.__version__,
        }
    )
    return workspace.run_folder(inputs.recipe.name, digest)


def _read_variant(inputs: TrainingInputs, run_folder: Path, workspace: Workspace) -> TrainedVariant:
    inputs = with_tuned_weights(inputs, read_tuned_weights(run_folder))
    return read_variant(inputs, _load_features(inputs, workspace), run_folder)


def _fine_tune_variant(
    inputs: TrainingInputs, run_folder: Path, workspace: Workspace
) -> TrainedVariant:
    frozen = train(frozen_recipe(inputs.recipe), workspace)
    checkpoint = workspace.finetuning_folder(inputs.recipe.name, run_folder.name.rpartition("-")[2])
    tuned = fine_tune(inputs, frozen, checkpoint)
    inputs = with_tuned_weights(inputs, tuned.encoders)
    features = _load_features(inputs, workspace)
    rows = torch.from_numpy(frozen.split.validation)
    validation = LabelledFeatures(features.take(rows), targets_of(inputs.table).take(rows))
    calibrations = _calibrate(inputs, tuned.fitted, validation)
    save_variant(
        tuned.fitted,
        calibrations,
        frozen.split,
        inputs,
        run_folder,
        FineTuningFiles(tuned.encoders, frozen_baseline(frozen)),
    )
    shutil.rmtree(checkpoint, ignore_errors=True)
    return TrainedVariant(
        inputs, features, tuned.fitted.head, calibrations, frozen.split, run_folder
    )


def _fit_variant(inputs: TrainingInputs, features: Features, run_folder: Path) -> TrainedVariant:
    split = _split(inputs, features)
    targets, tasks = targets_of(inputs.table), inputs.table.tasks

    def part(positions: NDArray[np.int64]) -> LabelledFeatures:
        rows = torch.from_numpy(positions)
        return LabelledFeatures(features.take(rows), targets.take(rows))

    train_part, validation = part(split.train), part(split.validation)
    recipe = inputs.recipe
    with progress(f"Fitting {recipe.head.type}", recipe.training.epochs) as advance:

        def show(epoch: Epoch) -> None:
            advance(note=f"validation loss {epoch.validation_loss:.3f}")

        fitted = fit_head(recipe, train_part, validation, tasks, on_epoch=show)
        best_loss = fitted.epochs[fitted.best_epoch].validation_loss
        advance(
            0, note=f"best after {fitted.best_epoch + 1} epochs: validation loss {best_loss:.3f}"
        )
    calibrations = _calibrate(inputs, fitted, validation)
    save_variant(fitted, calibrations, split, inputs, run_folder)
    return TrainedVariant(inputs, features, fitted.head, calibrations, split, run_folder)


def _calibrate(
    inputs: TrainingInputs, fitted: FittedHead, validation: LabelledFeatures
) -> dict[ModalitySet, tuple[TaskCalibration, ...]]:
    return {
        modalities: calibrate(
            inputs.recipe.asked,
            inputs.table.tasks,
            logits_of(fitted.head, validation.features, modalities),
            validation.targets,
        )
        for modalities in ModalitySet
    }


def _split(inputs: TrainingInputs, features: Features) -> Split:
    recipe, table = inputs.recipe, inputs.table
    groups = group_examples(table.examples, features.image.numpy(), recipe.data.twin_cosine)
    return split_by_group(
        table.has_label,
        groups,
        table.labels,
        validation_ratio=recipe.data.validation_ratio,
        holdout_ratio=recipe.data.holdout_ratio,
        seed=recipe.seed,
    )
