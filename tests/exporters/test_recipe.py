from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporters.errors import InvalidRecipeError, RecipeNotFoundError, UnknownRecipeKeyError
from exporters.recipe import SHIPPED_RECIPES, Recipe, load_recipe

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL = """
name = "cats"
[data]
table = "pets/table.csv"
[text_encoder]
hub = "some/bert"
[image_encoder]
folder = "vit"
"""

ONE_TASK = '[[tasks]]\nname = "breed"\n'
TWO_TASKS = ONE_TASK * 2


def write_recipe(folder: Path, text: str) -> str:
    path = folder / "cats.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED_RECIPES.glob("*.toml")])
def test_shipped_recipe_loads_under_its_own_name(name: str) -> None:
    assert load_recipe(name).name == name


def test_relative_path_is_relative_to_the_recipe(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, MINIMAL))

    assert recipe.data.table == tmp_path / "pets" / "table.csv"
    assert recipe.image_encoder.folder == tmp_path / "vit"


def test_unknown_name_lists_the_shipped_recipes() -> None:
    with pytest.raises(RecipeNotFoundError) as caught:
        load_recipe("no-such-recipe")

    assert "openmoji" in caught.value.remedy


@pytest.mark.parametrize(
    ("addition", "section", "key", "nearest"),
    [
        ("[training]\nlearning_rte = 0.1", "training", "learning_rte", "learning_rate"),
        ("[head]\nhiden_dim = 8", "head", "hiden_dim", "hidden_dim"),
        ("[trainning]\nepochs = 3", "", "trainning", "training"),
        ("[target]\nzzzzzz = 3", "target", "zzzzzz", None),
    ],
)
def test_unknown_key_is_named_with_its_section_and_the_nearest_known_key(
    tmp_path: Path, addition: str, section: str, key: str, nearest: str | None
) -> None:
    with pytest.raises(UnknownRecipeKeyError) as caught:
        load_recipe(write_recipe(tmp_path, MINIMAL + addition))

    error = caught.value
    assert (error.section, error.key, error.nearest) == (section, key, nearest)
    assert key in str(error)
    assert (nearest or "precision") in error.remedy


@pytest.mark.parametrize(
    ("old", "new", "key", "phrase"),
    [
        ('hub = "some/bert"', 'hub = "some/bert"\nfolder = "x"', "text_encoder", "exactly one of"),
        ('table = "pets/table.csv"', "", "data", "got none"),
        ('name = "cats"', 'name = "My Cats"', "name", "match"),
        ("[data]", "[data]\nholdout_ratio = 1.5", "data.holdout_ratio", "less than 1"),
        ("[data]", "[data]\nholdout_ratio = 0.9", "data", "less than 0.2 to train"),
        ('name = "cats"', "", "name", "required"),
        ("[data]", f"{TWO_TASKS}[data]", "", "two tasks have the same name"),
        ("[data]", f'{ONE_TASK}[data]\nlabel_column = "kind"', "", "labels are given there"),
    ],
)
def test_invalid_value_is_refused_with_key_and_reason(
    tmp_path: Path, old: str, new: str, key: str, phrase: str
) -> None:
    with pytest.raises(InvalidRecipeError, match=phrase) as caught:
        load_recipe(write_recipe(tmp_path, MINIMAL.replace(old, new)))

    assert caught.value.key == key


def test_dual_tower_with_fine_tuning_is_refused_not_left_frozen_in_silence(tmp_path: Path) -> None:
    text = f"{MINIMAL}[dual_tower]\n[finetune]\ntext_layers = 1\n"

    with pytest.raises(InvalidRecipeError, match=r"take \[finetune\] out"):
        load_recipe(write_recipe(tmp_path, text))


def test_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipeError, match="not TOML"):
        load_recipe(write_recipe(tmp_path, "name = "))


def test_recipe_digest_ignores_where_the_recipe_lies(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    here = load_recipe(write_recipe(tmp_path, MINIMAL))
    there = load_recipe(write_recipe(tmp_path / "elsewhere", MINIMAL))

    assert here.recipe_digest == there.recipe_digest


def test_recipe_digest_counts_defaults_as_written(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, MINIMAL))
    default = Recipe.model_fields["seed"].default
    spelt_out = load_recipe(write_recipe(tmp_path, f"seed = {default}\n{MINIMAL}"))

    assert spelt_out.recipe_digest == recipe.recipe_digest


def test_training_digest_changes_with_what_training_reads_and_not_with_the_target(
    tmp_path: Path,
) -> None:
    recipe = load_recipe(write_recipe(tmp_path, MINIMAL))
    other_target = load_recipe(
        write_recipe(tmp_path, f"{MINIMAL}\n[target]\nparity_tolerance = 0.01")
    )
    other_seed = load_recipe(write_recipe(tmp_path, f"seed = 1\n{MINIMAL}"))

    assert other_target.training_digest == recipe.training_digest
    assert other_target.recipe_digest != recipe.recipe_digest
    assert other_seed.training_digest != recipe.training_digest


def test_target_refuses_a_delay_of_more_than_a_second_by_name(tmp_path: Path) -> None:
    target = "\n[target]\nimage_delay_us = 2000000\n"

    with pytest.raises(InvalidRecipeError, match=r"target\.image_delay_us"):
        load_recipe(write_recipe(tmp_path, MINIMAL + target))
