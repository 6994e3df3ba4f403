"""The recipe with what was found: the user's own file, comments and order kept.

tomlkit edits the document in place. Paths in a recipe are relative to its folder, so they are
written anew when the tuned one goes elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from pydantic import BaseModel

from exporters.atomic import atomic_file
from exporters.errors import ExporterError
from exporters.recipe import SHIPPED_RECIPES, Recipe, load_recipe
from loadtest.tuning.errors import RecipeOutputError, RefusedRecipeError
from loadtest.tuning.settings import served

if TYPE_CHECKING:
    from exporters.recipe_sections import TargetRecipe


def read_recipe(name_or_path: str) -> tuple[Recipe, Path]:
    """Reads a recipe, and says where it lies.

    Raises:
        RefusedRecipeError: it is not there, or is none.
    """
    try:
        recipe = load_recipe(name_or_path)
    except ExporterError as error:
        raise RefusedRecipeError(name_or_path, str(error), error.remedy) from error
    shipped = SHIPPED_RECIPES / f"{name_or_path}.toml"
    return recipe, shipped if shipped.is_file() else Path(name_or_path).resolve()


def check_output(output: Path) -> None:
    """Finds out before anything is measured whether the tuned recipe can be written.

    Raises:
        RecipeOutputError: it cannot.
    """
    if output.is_dir():
        raise RecipeOutputError(output, "it is a folder")
    if output.suffix != ".toml":
        raise RecipeOutputError(output, "a recipe's name ends with .toml")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecipeOutputError(output, error.strerror or str(error)) from error


def write_tuned(recipe: Recipe, source: Path, best: TargetRecipe, output: Path) -> None:
    """Writes the recipe with other settings.

    Args:
        recipe: as it was read.
        source: its file.
        best: the settings.
        output: where it goes; the file itself may be named, and is replaced whole.

    Raises:
        RecipeOutputError: it cannot be written.
    """
    document = tomlkit.parse(source.read_text(encoding="utf-8"))
    if output.resolve().parent != source.parent:
        _move_paths(document, recipe, output.resolve().parent)
    if "target" not in document:
        document["target"] = tomlkit.table()
    now = served(recipe.target)
    target: Any = document["target"]
    for key, value in served(best).items():
        if value != now[key]:
            target[key] = value
    try:
        with atomic_file(output) as scratch:
            scratch.write_text(tomlkit.dumps(document), encoding="utf-8")
    except OSError as error:
        raise RecipeOutputError(output, error.strerror or str(error)) from error


def _move_paths(table: Any, section: BaseModel, folder: Path) -> None:  # noqa: ANN401  # TOML
    """Makes the paths that a section names relative to another folder."""
    for name in set(table) & set(type(section).model_fields):
        value = getattr(section, name)
        if isinstance(value, Path):
            table[name] = os.path.relpath(value, folder)
        elif isinstance(value, BaseModel):
            _move_paths(table[name], value, folder)
