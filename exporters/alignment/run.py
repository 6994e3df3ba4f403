"""From a recipe to a dual tower; one of the same inputs is read, not trained again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from exporters.alignment.classes import ClassSplit, positions_among, split_by_label
from exporters.alignment.contrastive import Alignment, AlignmentEpoch, Pairs, fit_projections
from exporters.alignment.dual_checkpoint import (
    projections_of,
    read_scoring,
    require_one_checkpoint,
)
from exporters.alignment.label_texts import embed_labels
from exporters.alignment.sample import write_zero_shot_sample
from exporters.alignment.scoring import LabelledPairs, calibrate, fit_image_weight
from exporters.alignment.towers import AlignedTowers, is_saved, read_towers, save_towers
from exporters.data import group_examples
from exporters.data.errors import SplitError
from exporters.digests import digest_of_json, digest_of_source
from exporters.errors import InvalidRecipeError
from exporters.progress import progress
from exporters.training import load_features, load_inputs

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from exporters.alignment.projections import Projections
    from exporters.recipe import Recipe
    from exporters.recipe_sections import DualTowerRecipe
    from exporters.training import Features, TrainingInputs
    from exporters.workspace import Workspace

_CODE: Final = (
    "exporters.alignment",
    "exporters.data.grouping",
    "exporters.training.calibration",
    "gateway.contract.zero_shot",
)


def align(recipe: Recipe, workspace: Workspace) -> AlignedTowers:
    """Makes a dual tower, or reads it when nothing it depends on has changed.

    Raises:
        ExporterError: the recipe, its data or its encoders cannot be used.
    """
    inputs, settings, run_folder = _prepare(recipe, workspace)
    features = load_features(inputs.table, inputs.text_encoder, inputs.image_encoder, workspace)
    if is_saved(run_folder):
        towers = read_towers(inputs, settings, features, run_folder)
        write_zero_shot_sample(towers, workspace)
        return towers
    groups = group_examples(inputs.table.examples, features.image.numpy(), recipe.data.twin_cosine)
    split = _split(inputs, settings, groups)
    if settings.projection == "checkpoint":
        scoring = read_scoring(recipe)
        alignment = Alignment(projections_of(scoring), (), 0)
        logit_bias = scoring.logit_bias
    else:
        alignment = _fit(inputs, settings, Pairs(features, torch.from_numpy(groups)), split)
        logit_bias = None
    projections = alignment.projections
    pairs = _validation_pairs(inputs, settings, features, split, projections)
    projections.image_weight.fill_(fit_image_weight(projections, pairs))
    scorings = calibrate(projections, pairs, logit_bias)
    towers = AlignedTowers(inputs, settings, features, projections, scorings, split, run_folder)
    save_towers(towers, alignment.epochs, alignment.best_epoch)
    write_zero_shot_sample(towers, workspace)
    return towers


def load_aligned(recipe: Recipe, workspace: Workspace) -> AlignedTowers | None:
    """Reads a dual tower; None when it was not made from these very inputs.

    Raises:
        ExporterError: the recipe, its data or its encoders cannot be used.
    """
    inputs, settings, run_folder = _prepare(recipe, workspace)
    if not is_saved(run_folder):
        return None
    features = load_features(inputs.table, inputs.text_encoder, inputs.image_encoder, workspace)
    return read_towers(inputs, settings, features, run_folder)


def _prepare(recipe: Recipe, workspace: Workspace) -> tuple[TrainingInputs, DualTowerRecipe, Path]:
    settings = recipe.dual_tower
    if settings is None:
        raise InvalidRecipeError(
            recipe.name,
            "dual_tower",
            "it has no such section; add one to align its encoders, or train its head instead",
        )
    if settings.projection == "checkpoint":
        require_one_checkpoint(recipe)
    inputs = load_inputs(recipe, workspace)
    digest = digest_of_json(
        {
            "recipe": recipe.training_digest,
            "data": inputs.table.digest,
            "text_encoder": inputs.text_encoder.digest,
            "image_encoder": inputs.image_encoder.digest,
            "code": digest_of_source(_CODE),
            "torch": torch.__version__,
        }
    )
    return inputs, settings, workspace.run_folder(recipe.name, digest)


def _split(
    inputs: TrainingInputs, settings: DualTowerRecipe, groups: NDArray[np.int64]
) -> ClassSplit:
    data = inputs.recipe.data
    # Where nothing is trained, no label needs to be kept for it.
    is_trained = settings.projection == "trained"
    split = split_by_label(
        inputs.table.label_indices,
        groups,
        validation_ratio=data.validation_ratio,
        holdout_ratio=data.holdout_ratio if is_trained else 1 - data.validation_ratio,
        seed=inputs.recipe.seed,
    )
    if is_trained and len(split.train) < 2:
        reason = "no pairs are left to train on but twins of those that are kept from training"
        raise SplitError(reason)
    return split


def _fit(
    inputs: TrainingInputs, settings: DualTowerRecipe, pairs: Pairs, split: ClassSplit
) -> Alignment:
    train, validation = (
        pairs.take(torch.from_numpy(positions)) for positions in (split.train, split.validation)
    )
    recipe = inputs.recipe
    with progress("Aligning", recipe.training.epochs) as advance:

        def show(epoch: AlignmentEpoch) -> None:
            advance(note=f"validation loss {epoch.validation_loss:.3f}")

        alignment = fit_projections(recipe, settings, train, validation, show)
        best_loss = alignment.epochs[alignment.best_epoch].validation_loss
        advance(
            0, note=f"best after {alignment.best_epoch + 1} epochs: validation loss {best_loss:.3f}"
        )
    return alignment


def _validation_pairs(
    inputs: TrainingInputs,
    settings: DualTowerRecipe,
    features: Features,
    split: ClassSplit,
    projections: Projections,
) -> LabelledPairs:
    labels = [inputs.table.labels[index] for index in split.validation_labels]
    truth = inputs.table.label_indices[split.validation]
    return LabelledPairs(
        features.take(torch.from_numpy(split.validation)),
        torch.from_numpy(positions_among(truth, split.validation_labels)),
        embed_labels(inputs.text_encoder, projections, labels, settings.templates),
    )
