from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporters.recipe import SHIPPED_RECIPES, load_recipe
from exporters.recipe_sections import TargetRecipe
from loadtest.tuning.errors import RecipeOutputError, RefusedRecipeError
from loadtest.tuning.recipe_file import check_output, read_recipe, write_tuned

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = """\
# Which cat is it?
name = "cats"

[data]
table = "pets/table.csv"  # from the shelter

[text_encoder]
hub = "some/bert"
[image_encoder]
folder = "vit"

[target]
parity_samples = 128  # a nervous team
image_batch = 8
"""
FOUND = TargetRecipe(parity_samples=128, image_batch=2, text_delay_us=1000)


def test_tuned_recipe_has_the_found_values_and_keeps_comments(tmp_path: Path) -> None:
    source = tmp_path / "cats.toml"
    source.write_text(RECIPE, encoding="utf-8")
    recipe, path = read_recipe(str(source))

    write_tuned(recipe, path, FOUND, source)

    expected = RECIPE.replace("image_batch = 8", "image_batch = 2\ntext_delay_us = 1000")
    assert source.read_text(encoding="utf-8") == expected
    assert load_recipe(str(source)).target == FOUND


def test_tuned_recipe_in_another_folder_still_means_the_same_files(tmp_path: Path) -> None:
    source = tmp_path / "here" / "cats.toml"
    source.parent.mkdir()
    source.write_text(RECIPE, encoding="utf-8")
    recipe, path = read_recipe(str(source))

    write_tuned(recipe, path, FOUND, tmp_path / "there" / "cats.toml")

    tuned = load_recipe(str(tmp_path / "there" / "cats.toml"))
    assert tuned.data.table == recipe.data.table
    assert tuned.image_encoder.folder == recipe.image_encoder.folder
    assert "# from the shelter" in (tmp_path / "there" / "cats.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED_RECIPES.glob("*.toml")])
def test_shipped_recipe_is_tuned_without_other_changes(name: str, tmp_path: Path) -> None:
    recipe, path = read_recipe(name)
    output = tmp_path / f"{name}.toml"

    write_tuned(recipe, path, recipe.target.model_copy(update={"text_batch": 8}), output)

    tuned = load_recipe(str(output))
    assert tuned.training_digest == recipe.training_digest
    assert tuned.target.text_batch == 8


def test_recipe_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(RefusedRecipeError, match="openmoji"):
        read_recipe("openmoij")


def test_output_that_cannot_be_a_recipe_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output in (tmp_path, tmp_path / "tuned.json", tmp_path / "file" / "tuned.toml"):
        with pytest.raises(RecipeOutputError, match="--write"):
            check_output(output)
