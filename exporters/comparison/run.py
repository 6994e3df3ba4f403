"""Fits every candidate in every fold, and ranks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exporters.comparison.candidates import RecipeFeatures, list_candidates
from exporters.comparison.fold_fits import fit_in_fold
from exporters.comparison.standings import Answers, Standing, rank
from exporters.data import folds_by_group, group_examples, join_groupings
from exporters.digests import digest_of_json
from exporters.errors import ComparisonError
from exporters.heads import HEADS, require_head
from exporters.progress import progress
from exporters.tasks import TaskCalibration, all_decisions, slices_of
from exporters.training import load_features, load_inputs
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exporters.comparison.candidates import Candidate
    from exporters.comparison.fold_fits import FoldFit
    from exporters.data import ExampleTable, Split
    from exporters.recipe import Recipe
    from exporters.workspace import Workspace


@dataclass(frozen=True)
class Comparison:
    """What was compared on what, and how it came out.

    Attributes:
        recipes: names of the recipes.
        standings: heads best first, then baselines.
        examples: number of examples; each is held out once.
        groups: number of groups of examples that stay together.
        folds: number of folds.
        seed: of folds, fits, resamples and permutations.
        folder: where its table, figures and plot lie.
    """

    recipes: tuple[str, ...]
    standings: tuple[Standing, ...]
    examples: int
    groups: int
    folds: int
    seed: int
    folder: Path

    @property
    def best(self) -> Standing:
        """The head that was right most often."""
        return self.standings[0]


def compare(
    recipes: Sequence[Recipe], heads: Sequence[str], folds: int, workspace: Workspace
) -> Comparison:
    """Compares heads over one recipe's encoders, or recipes over the same examples.

    Folds, and the seed of all that is drawn, are those of the first recipe.

    Args:
        recipes: one or more.
        heads: names of heads to put on every recipe; none takes all registered heads for one
            recipe, and each recipe's own head for several.
        folds: number of folds, 2 or more.
        workspace: where features and finished fits are kept, and where the result goes.

    Raises:
        UnknownNameError: a head is not registered.
        ComparisonError: the recipes cannot be compared with each other.
        ExporterError: data or encoders of a recipe cannot be used.
    """
    for name in heads:  # before anything that takes time
        require_head(name)
    heads = heads or (tuple(HEADS) if len(recipes) == 1 else ())
    loaded = _load(recipes, heads, workspace)
    table, seed = loaded[0].inputs.table, recipes[0].seed
    groups = join_groupings(
        [
            group_examples(
                table.examples, each.features.image.numpy(), each.inputs.recipe.data.twin_cosine
            )
            for each in loaded
        ]
    )
    data = recipes[0].data
    splits = folds_by_group(
        table.has_label,
        groups,
        table.labels,
        folds=folds,
        validation_ratio=data.validation_ratio / (1 - data.holdout_ratio),
        seed=seed,
    )
    candidates = list_candidates(loaded, heads)
    answers = [*_fit_all(candidates, splits, workspace), _majority(table, splits)]
    digest = digest_of_json([[each.recipe.training_digest for each in candidates], folds, seed])
    return Comparison(
        recipes=tuple(recipe.name for recipe in recipes),
        standings=rank(answers, table.facts, groups, seed),
        examples=len(table),
        groups=len(np.unique(groups)),
        folds=folds,
        seed=seed,
        folder=workspace.comparison_folder(recipes[0].name, digest),
    )


def _load(
    recipes: Sequence[Recipe], heads: Sequence[str], workspace: Workspace
) -> list[RecipeFeatures]:
    names = [recipe.name for recipe in recipes]
    if any(recipe.finetune.is_on for recipe in recipes):
        # Its encoders have seen the labels of what a fold holds out.
        raise ComparisonError(
            tuple(names),
            "a fine-tuned one is compared with its frozen start alone, in its own report",
        )
    if len(set(names)) < len(names):
        raise ComparisonError(tuple(names), "two of them have the same name")
    loaded: list[RecipeFeatures] = []
    for recipe in recipes:
        # One seed for all: folds and fits differ by what is compared, and by nothing else.
        inputs = load_inputs(recipe.model_copy(update={"seed": recipes[0].seed}), workspace)
        if loaded and inputs.table.digest != loaded[0].inputs.table.digest:
            raise ComparisonError(tuple(names), "they have not the same examples, tasks and labels")
        features = load_features(
            inputs.table,
            inputs.text_encoder,
            inputs.image_encoder,
            workspace,
            has_sequences=any(
                require_head(head).is_over_sequences for head in heads or (recipe.head.type,)
            ),
        )
        loaded.append(RecipeFeatures(inputs, features))
    return loaded


def _fit_all(
    candidates: Sequence[Candidate], splits: Sequence[Split], workspace: Workspace
) -> list[Answers]:
    answers = []
    with progress("Fitting", len(candidates) * len(splits)) as advance:
        for candidate in candidates:
            fits = []
            for number, split in enumerate(splits, start=1):
                advance(0, note=f"{candidate.name}, fold {number} of {len(splits)}")
                fits.append(fit_in_fold(candidate, split, workspace))
                advance(note=f"{candidate.name}, fold {number} of {len(splits)}")
            answers.append(_gather(candidate, splits, fits))
    return answers


def _gather(candidate: Candidate, splits: Sequence[Split], fits: Sequence[FoldFit]) -> Answers:
    """Puts the held-out answers of all folds in the order of the examples."""
    table = candidate.inputs.table
    probabilities, decided = {}, {}
    for modalities in candidate.modalities:
        together = np.empty((len(table), len(table.labels)))
        chosen = np.empty(together.shape, dtype=bool)
        for split, fit in zip(splits, fits, strict=True):
            together[split.holdout] = fit.probabilities[modalities]
            chosen[split.holdout] = fit.decided[modalities]
        probabilities[modalities], decided[modalities] = together, chosen
    weights = {
        name: float(np.mean([fit.learned_weights[name] for fit in fits]))
        for name in fits[0].learned_weights
    }
    fit_cpu_s = tuple(fit.fit_cpu_s for fit in fits)
    return Answers(
        candidate.name, candidate.is_baseline, probabilities, decided, fit_cpu_s, weights
    )


def _majority(table: ExampleTable, splits: Sequence[Split]) -> Answers:
    """Answers each label with its share of the training examples, whatever it is shown."""
    shares = np.empty((len(table), len(table.labels)))
    for split in splits:
        for number, place in enumerate(slices_of(table.tasks)):
            known = split.train[table.is_labelled[split.train, number]]
            shares[split.holdout, place] = table.has_label[known, place].mean(axis=0)
    calibrations = [TaskCalibration(1.0, (0.5,) * len(task.labels)) for task in table.tasks]
    decided = all_decisions(shares, table.tasks, calibrations)
    return Answers(
        "majority",
        is_baseline=True,
        probabilities=dict.fromkeys(ModalitySet, shares),
        decided=dict.fromkeys(ModalitySet, decided),
    )
