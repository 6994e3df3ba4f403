"""A deliberately bad variant of a recipe, for what must find one out on live traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.publishing import export

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.recipe import Recipe
    from exporters.workspace import Workspace


def publish_bad(recipe: Recipe, workspace: Workspace, repository: Path) -> str:
    """Publishes a recipe whose training ends before it has begun; returns the variant's name."""
    name = f"{recipe.name}-broken"
    training = recipe.training.model_copy(update={"epochs": 1, "learning_rate": 1e-6})
    export(recipe.model_copy(update={"name": name, "training": training}), workspace, repository)
    return name
