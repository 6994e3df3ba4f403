"""Heads compared over small encoders, through the whole path."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from exporters.comparison import compare, comparison_table, verdict, write_comparison
from exporters.errors import ComparisonError, UnknownNameError
from exporters.recipe import Recipe, load_recipe
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.comparison.run import Comparison

HEADS = ("gated", "probability_average", "weighted_sum")


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
def comparison(recipe: Recipe, workspace: Workspace) -> Comparison:
    return compare([recipe], HEADS, 3, workspace)


def test_compare_has_a_row_a_head_the_encoders_alone_and_the_majority(
    comparison: Comparison,
) -> None:
    names = [standing.name for standing in comparison.standings]

    assert set(names[:3]) == set(HEADS)
    assert set(names[3:]) == {"text alone", "image alone", "majority"}
    assert names[-1] == "majority"
    for standing in comparison.standings[:3]:
        assert list(standing.scores) == list(ModalitySet)
        assert len(standing.answers.fit_cpu_s) == 3


def test_compare_finds_what_the_shapes_need(comparison: Comparison) -> None:
    scores = {standing.name: standing.scores for standing in comparison.standings}
    text, image = scores["text alone"], scores["image alone"]

    # The text names one of two shapes of three colours: a third is as good as it gets.
    assert text[ModalitySet.TEXT].accuracy == pytest.approx(1 / 3, abs=0.1)
    assert comparison.best.headline.accuracy > image[ModalitySet.IMAGE].accuracy
    # Six labels of 70 examples each: the commonest of a training part is one of them.
    majority = scores["majority"][ModalitySet.BOTH]
    assert majority.accuracy < 0.25


def test_compare_asks_about_each_example_once(comparison: Comparison, recipe: Recipe) -> None:
    for standing in comparison.standings:
        for probabilities in standing.answers.probabilities.values():
            assert probabilities.shape == (comparison.examples, 6)
            # Sums of six doubles.
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)


def test_compare_again_reads_finished_fits_and_adds_what_is_new(
    comparison: Comparison, recipe: Recipe, workspace: Workspace
) -> None:
    folder = workspace.root / "fold-fits"
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}

    again = compare([recipe], [*HEADS, "max_pooling"], 3, workspace)

    after = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert len(after) == len(before) + 3
    assert before.items() <= after.items()
    fit_cpu_s = {standing.name: standing.answers.fit_cpu_s for standing in comparison.standings}
    assert {
        each.name: each.answers.fit_cpu_s for each in again.standings
    }.items() >= fit_cpu_s.items()


def test_compare_of_recipes_takes_their_own_heads_over_the_same_folds(
    recipe: Recipe, workspace: Workspace, comparison: Comparison
) -> None:
    other_head = recipe.head.model_copy(update={"type": "probability_average"})
    other = recipe.model_copy(update={"name": "averaged", "seed": 99, "head": other_head})

    both = compare([recipe, other], (), 3, workspace)

    names = {standing.name for standing in both.standings}
    # Both recipes share their encoders: one row for each.
    assert names == {
        "shapes: gated",
        "averaged: probability_average",
        "shapes: text alone",
        "shapes: image alone",
        "majority",
    }
    single = {standing.name: standing.headline for standing in comparison.standings}
    doubled = {standing.name: standing.headline for standing in both.standings}
    assert doubled["averaged: probability_average"] == single["probability_average"]


def test_compare_of_recipes_with_other_examples_is_refused(
    recipe_file: Path, recipe: Recipe, workspace: Workspace, tmp_path: Path
) -> None:
    folder = shutil.copytree(recipe_file.parent, tmp_path / "other")
    table = folder / "data" / "shapes.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(" small", " the", 1), "utf-8")
    other = load_recipe(str(folder / recipe_file.name)).model_copy(update={"name": "other"})

    with pytest.raises(ComparisonError, match="same examples"):
        compare([recipe, other], (), 3, workspace)
    with pytest.raises(ComparisonError, match="same name"):
        compare([recipe, recipe], (), 3, workspace)


def test_compare_with_an_unknown_head_is_refused_before_any_work(
    recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(UnknownNameError, match="transfusion"):
        compare([recipe], ["gated", "transfusion"], 3, Workspace(tmp_path))

    assert not list(tmp_path.iterdir())


def test_written_comparison_has_table_figures_and_plot(comparison: Comparison) -> None:
    report = write_comparison(comparison)

    text = report.read_text(encoding="utf-8")
    assert comparison_table(comparison) in text
    assert verdict(comparison) in text
    assert "weighted_sum: text 0." in text
    figures = json.loads(report.with_name("comparison.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in figures["standings"]] == [
        standing.name for standing in comparison.standings
    ]
    assert figures["standings"][0]["gap_to_best"] is None
    with Image.open(report.with_name("comparison.png")) as image:
        assert min(image.size) > 300
        assert len(image.convert("RGB").getcolors(maxcolors=1 << 24) or []) > 20


def test_verdict_names_every_head_once(comparison: Comparison) -> None:
    words = verdict(comparison)

    assert all(words.count(head) == 1 for head in HEADS)
    assert words.startswith(comparison.best.name)


def test_command_interrupted_ends_with_130_and_keeps_what_is_finished(
    recipe_file: Path, workspace: Workspace, comparison: Comparison, tmp_path: Path
) -> None:
    endless = shutil.copytree(recipe_file.parent, tmp_path / "recipe") / "endless.toml"
    text = recipe_file.read_text(encoding="utf-8")
    endless.write_text(text.replace("epochs = 30", "epochs = 100\npatience = 100"), "utf-8")
    own = Workspace(shutil.copytree(workspace.root, tmp_path / "workspace"))
    shutil.rmtree(own.root / "fold-fits")
    command = [sys.executable, "-m", "exporters", "compare", str(endless)]
    process = subprocess.Popen(
        [*command, "--workspace", str(own.root)], stderr=subprocess.PIPE, text=True
    )
    try:
        deadline_s = time.monotonic() + 60
        while not list((own.root / "fold-fits").glob("*.safetensors")):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()

    assert process.returncode == 130
    assert "Interrupted" in errors
    assert "Traceback" not in errors
    kept = [file.suffix for file in (own.root / "fold-fits").iterdir()]
    assert kept
    assert set(kept) == {".safetensors"}
