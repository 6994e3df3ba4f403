"""From a recipe with small random encoders to a trained variant, through the whole path."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file

from exporters.errors import ExporterError
from exporters.recipe import Recipe, load_recipe
from exporters.training import TrainedVariant, load_trained, logits_of, train
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.encoders.encoded import Encoded


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_recipe(tmp_path_factory.mktemp("recipe"))


@pytest.fixture(scope="module")
def recipe(recipe_file: Path) -> Recipe:
    return load_recipe(str(recipe_file))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def variant(recipe: Recipe, workspace: Workspace) -> TrainedVariant:
    return train(recipe, workspace)


def files_with_times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_train_gives_a_calibrated_head_for_each_set_of_modalities(variant: TrainedVariant) -> None:
    assert set(variant.temperatures) == set(ModalitySet)
    assert len(variant.labels) == 6
    parts = vars(variant.split).values()
    assert sum(len(part) for part in parts) == len(variant.table)
    assert len(variant.holdout_examples) == len(variant.split.holdout) > 64


def test_train_again_reads_what_was_trained_and_writes_no_features_or_head(
    recipe: Recipe, workspace: Workspace, variant: TrainedVariant
) -> None:
    folders = (workspace.root / "features", workspace.root / "runs", workspace.root / "checks")
    before = [files_with_times(folder) for folder in folders]

    again = train(recipe, workspace)

    assert again.run_folder == variant.run_folder
    assert again.temperatures == variant.temperatures
    assert [files_with_times(folder) for folder in folders] == before


def test_load_trained_gives_the_head_that_was_trained(
    recipe: Recipe, workspace: Workspace, variant: TrainedVariant
) -> None:
    loaded = load_trained(recipe, workspace)

    assert loaded is not None
    for modalities in ModalitySet:
        expected = logits_of(variant.head, variant.features, modalities)
        assert torch.equal(logits_of(loaded.head, loaded.features, modalities), expected)


def test_load_trained_of_another_seed_is_none_before_it_computes_features(
    recipe: Recipe, variant: TrainedVariant, tmp_path: Path
) -> None:
    other = recipe.model_copy(update={"seed": recipe.seed + 1})

    assert load_trained(other, Workspace(tmp_path)) is None
    assert not (tmp_path / "features").exists()


def test_train_with_one_seed_in_two_workspaces_gives_the_same_head(
    recipe: Recipe, variant: TrainedVariant, tmp_path: Path
) -> None:
    again = train(recipe, Workspace(tmp_path))

    first, second = (load_file(each.run_folder / "head.safetensors") for each in (variant, again))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert again.temperatures == variant.temperatures


def test_change_of_a_label_trains_again_on_the_cached_features(
    recipe_file: Path, workspace: Workspace, variant: TrainedVariant, tmp_path: Path
) -> None:
    changed = shutil.copytree(recipe_file.parent, tmp_path / "changed")
    table = changed / "data" / "shapes.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("red square\n", "green square\n", 1), encoding="utf-8")
    features = files_with_times(workspace.root / "features")

    again = train(load_recipe(str(changed / recipe_file.name)), workspace)

    assert again.run_folder != variant.run_folder
    assert files_with_times(workspace.root / "features") == features


def test_sample_is_a_held_out_example_with_its_image(recipe: Recipe, workspace: Workspace) -> None:
    variant = train(recipe, workspace)  # another recipe of this name may have left its own
    folder = workspace.sample_folder(variant.recipe.name)
    sample = json.loads((folder / "sample.json").read_text(encoding="utf-8"))

    [example] = [each for each in variant.holdout_examples if each.text == sample["text"]]
    assert sample["label"] == example.label
    assert (folder / sample["image"]).read_bytes() == example.image.read_bytes()


def test_unknown_head_is_refused_and_leaves_no_run(recipe: Recipe, tmp_path: Path) -> None:
    unknown = recipe.model_copy(
        update={"head": recipe.head.model_copy(update={"type": "transfusion"})}
    )

    with pytest.raises(ExporterError, match="transfusion"):
        train(unknown, Workspace(tmp_path))

    assert not (tmp_path / "runs").exists()


def test_interrupted_features_leave_no_file(variant: TrainedVariant, tmp_path: Path) -> None:
    from exporters.encoders.image import NormalisedImageModel
    from exporters.training import load_features

    class Interrupted(NormalisedImageModel):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)

        def encode(self, pixels: torch.Tensor) -> Encoded:
            raise KeyboardInterrupt

    encoder = replace(variant.image_encoder, module=Interrupted())

    with pytest.raises(KeyboardInterrupt):
        load_features(variant.table, variant.text_encoder, encoder, Workspace(tmp_path))

    assert [path.name.partition("-")[0] for path in (tmp_path / "features").iterdir()] == ["text"]


def test_command_interrupted_while_fitting_ends_with_130_and_nothing_half_written(
    recipe_file: Path, tmp_path: Path
) -> None:
    endless = shutil.copytree(recipe_file.parent, tmp_path / "recipe") / "endless.toml"
    text = recipe_file.read_text(encoding="utf-8")
    endless.write_text(
        text.replace("epochs = 30", "epochs = 1000000\npatience = 1000000"), encoding="utf-8"
    )
    workspace = tmp_path / "workspace"
    paths = [str(endless), "--workspace", str(workspace)]
    process = subprocess.Popen(
        [sys.executable, "-m", "exporters", "train", *paths], stderr=subprocess.PIPE, text=True
    )
    try:
        deadline_s = time.monotonic() + 60
        while len(list((workspace / "features").glob("*.safetensors"))) < 2:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        time.sleep(0.5)  # into the fit
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()

    assert process.returncode == 130
    assert "Interrupted" in errors
    assert "Traceback" not in errors
    assert not (workspace / "runs").exists()
    assert not list(workspace.rglob(".*"))
