"""Fusion heads by name. A new head is one file in this folder, registered by its decorator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.errors import UnknownNameError
from exporters.heads.fusion import FusionHead, HeadShape, presence_masks
from exporters.heads.modality import BothHead, ImageHead, TextHead, head_for
from exporters.heads.registry import HEADS, fusion_head, import_heads

if TYPE_CHECKING:
    from exporters.recipe_sections import HeadRecipe
    from exporters.tasks import Task

__all__ = [
    "HEADS",
    "BothHead",
    "FusionHead",
    "HeadShape",
    "ImageHead",
    "TextHead",
    "build_head",
    "fusion_head",
    "head_for",
    "presence_masks",
    "require_head",
]

import_heads(__name__, __path__)


def require_head(name: str) -> type[FusionHead]:
    """Returns the head that is registered as `name`.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in HEADS:
        raise UnknownNameError("fusion head", name, tuple(HEADS))
    return HEADS[name]


def build_head(
    recipe: HeadRecipe, *, text_dim: int, image_dim: int, tasks: tuple[Task, ...]
) -> FusionHead:
    """Builds an untrained head over all tasks; its weights come from torch's current seed.

    Raises:
        UnknownNameError: the recipe names a head that is not registered.
    """
    shape = HeadShape(text_dim, image_dim, tasks, recipe.hidden_dim, recipe.dropout)
    return require_head(recipe.type)(shape)
