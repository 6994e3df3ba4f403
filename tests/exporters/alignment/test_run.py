"""From a recipe with small random encoders to a dual tower and its report."""

from __future__ import annotations

import json

import pytest
import torch

from exporters.alignment import AlignedTowers, align, load_aligned
from exporters.errors import InvalidRecipeError, NotAClassifierError
from exporters.evaluation.zero_shot_report import write_zero_shot_report, zero_shot_table
from exporters.recipe import Recipe, load_recipe
from exporters.training import train
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.small_dual_tower import write_small_dual_recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return load_recipe(str(write_small_dual_recipe(tmp_path_factory.mktemp("recipe"))))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def towers(recipe: Recipe, workspace: Workspace) -> AlignedTowers:
    return align(recipe, workspace)


def test_align_holds_whole_labels_out(towers: AlignedTowers) -> None:
    seen = {towers.inputs.table.examples[position].label for position in towers.split.train}

    assert len(towers.holdout_labels) == 2
    assert not seen & set(towers.holdout_labels)
    assert {each.label for each in towers.holdout_examples} == set(towers.holdout_labels)


def test_sample_is_a_held_out_example_with_the_labels_to_send(
    workspace: Workspace, towers: AlignedTowers
) -> None:
    folder = workspace.sample_folder(towers.recipe.name)
    sample = json.loads((folder / "sample.json").read_text(encoding="utf-8"))

    assert sample["labels"] == list(towers.holdout_labels)
    assert sample["label"] in sample["labels"]
    assert (folder / sample["image"]).is_file()


def test_load_aligned_gives_what_was_aligned(
    recipe: Recipe, workspace: Workspace, towers: AlignedTowers
) -> None:
    loaded = load_aligned(recipe, workspace)

    assert loaded is not None
    assert loaded.scorings == towers.scorings
    state = loaded.projections.state_dict()
    for name, value in towers.projections.state_dict().items():
        assert torch.equal(state[name], value)


def test_load_aligned_of_another_seed_is_none(recipe: Recipe, workspace: Workspace) -> None:
    assert load_aligned(recipe.model_copy(update={"seed": 4}), workspace) is None


def test_report_shows_chance_and_the_commonest_label_beside_each_modality(
    towers: AlignedTowers,
) -> None:
    quality = write_zero_shot_report(towers)

    table = zero_shot_table(quality)
    assert "| chance | 50.0% |" in table
    report = json.loads((towers.run_folder / "report.json").read_text(encoding="utf-8"))
    assert set(report["modalities"]) == set(ModalitySet)
    assert table in (towers.run_folder / "report.md").read_text(encoding="utf-8")
    low, high = quality.majority_interval
    assert low < quality.majority < high


def test_align_of_a_recipe_without_dual_tower_says_what_to_add(
    recipe: Recipe, workspace: Workspace
) -> None:
    plain = recipe.model_copy(update={"dual_tower": None})
    with pytest.raises(InvalidRecipeError, match="no such section"):
        align(plain, workspace)


def test_train_of_a_dual_tower_names_the_right_command(
    recipe: Recipe, workspace: Workspace
) -> None:
    with pytest.raises(NotAClassifierError) as caught:
        train(recipe, workspace)
    assert "exporters align shapes-zero-shot" in caught.value.remedy
