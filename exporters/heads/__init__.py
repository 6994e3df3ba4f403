"""Fusion heads by name. A new head is one file and one line in `HEADS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporters.errors import UnknownNameError
from exporters.heads.concat_mlp import ConcatMlp
from exporters.heads.fusion import FusionHead, HeadShape, presence_masks
from exporters.heads.gated import Gated
from exporters.heads.modality import BothHead, ImageHead, TextHead, head_for

if TYPE_CHECKING:
    from exporters.recipe import HeadRecipe

__all__ = [
    "HEADS",
    "BothHead",
    "FusionHead",
    "HeadShape",
    "ImageHead",
    "TextHead",
    "build_head",
    "head_for",
    "presence_masks",
]

HEADS: Final[dict[str, type[FusionHead]]] = {
    "concat_mlp": ConcatMlp,
    "gated": Gated,
}


def build_head(recipe: HeadRecipe, *, text_dim: int, image_dim: int, labels: int) -> FusionHead:
    """Builds an untrained head; its weights come from torch's current seed.

    Raises:
        UnknownNameError: the recipe names a head that is not registered.
    """
    if recipe.type not in HEADS:
        raise UnknownNameError("fusion head", recipe.type, tuple(HEADS))
    shape = HeadShape(text_dim, image_dim, labels, recipe.hidden_dim, recipe.dropout)
    return HEADS[recipe.type](shape)
