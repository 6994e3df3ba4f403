"""What a comparison fits: heads over a recipe's features, and each encoder without the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch

from exporters.heads import require_head
from exporters.training import Features
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.recipe import Recipe
    from exporters.training import TrainingInputs

_SINGLE_SIDE_HEAD: Final = "concat_mlp"


@dataclass(frozen=True)
class Candidate:
    """One contender of a comparison.

    Attributes:
        name: unique in the comparison.
        inputs: recipe (with this candidate's head), table and encoders.
        features: what the head is fitted on.
        modalities: the sets it answers, its richest first.
        is_baseline: whether it is there for scale only and never the best.
    """

    name: str
    inputs: TrainingInputs
    features: Features
    modalities: tuple[ModalitySet, ...]
    is_baseline: bool = False

    @property
    def recipe(self) -> Recipe:
        """The recipe, with this candidate's head."""
        return self.inputs.recipe


@dataclass(frozen=True)
class RecipeFeatures:
    """A recipe's inputs and what its encoders make of them."""

    inputs: TrainingInputs
    features: Features


def list_candidates(recipes: Sequence[RecipeFeatures], heads: Sequence[str]) -> list[Candidate]:
    """Lists the heads of every recipe, then the encoders alone.

    Args:
        recipes: what to compare, on the same examples.
        heads: names of registered heads; none takes each recipe's own.

    Raises:
        UnknownNameError: a head is not registered.
    """
    is_one = len(recipes) == 1
    found = []
    for each in recipes:
        recipe = each.inputs.recipe
        for head in heads or (recipe.head.type,):
            require_head(head)
            name = head if is_one else f"{recipe.name}: {head}"
            inputs = _with_head(each.inputs, type=head)
            found.append(Candidate(name, inputs, each.features, tuple(ModalitySet)))
    return [*found, *_encoders_alone(recipes, is_one=is_one)]


def _encoders_alone(recipes: Sequence[RecipeFeatures], *, is_one: bool) -> list[Candidate]:
    """Lists each encoder once, with a perceptron that was never shown the other side."""
    found: dict[str, Candidate] = {}
    for each in recipes:
        inputs = _with_head(each.inputs, type=_SINGLE_SIDE_HEAD, modality_dropout=0.0)
        text, image = each.features.text, each.features.image
        # A side of one column that never varies says nothing and costs nothing.
        nothing = torch.zeros(len(text), 1)
        prefix = "" if is_one else f"{inputs.recipe.name}: "
        for name, digest, features, modalities in (
            ("text alone", inputs.text_encoder.digest, Features(text, nothing), ModalitySet.TEXT),
            (
                "image alone",
                inputs.image_encoder.digest,
                Features(nothing, image),
                ModalitySet.IMAGE,
            ),
        ):
            alone = Candidate(prefix + name, inputs, features, (modalities,), is_baseline=True)
            found.setdefault(digest, alone)
    return list(found.values())


def _with_head(inputs: TrainingInputs, **changes: str | float) -> TrainingInputs:
    recipe = inputs.recipe
    head = recipe.head.model_copy(update=changes)
    return replace(inputs, recipe=recipe.model_copy(update={"head": head}))
