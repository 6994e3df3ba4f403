"""Two tasks, one of them of several labels and half labelled, from a table to the gateway."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import httpx
import pytest

from exporters.evaluation import write_report
from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.training import load_trained
from exporters.workspace import Workspace
from tests.e2e.stack import running_stack
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

TASKS = """
[[tasks]]
name = "shape"

[[tasks]]
name = "looks"
kind = "several"
thresholds = { warm = 0.5 }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A variant that is published, with the recipe and workspace that it came from."""
    folder = tmp_path_factory.mktemp("tasks")
    recipe = write_small_recipe(folder / "recipe")
    text = recipe.read_text(encoding="utf-8")
    text = text.replace("shapes.csv", "tasks.csv").replace(
        "[text_encoder]", TASKS + "[text_encoder]"
    )
    recipe.write_text(text, encoding="utf-8")
    data = folder / "recipe" / "data"
    with (data / "shapes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (data / "tasks.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "text", "shape", "looks"])
        for number, row in enumerate(rows):
            colour, shape = row["label"].split()
            looks = ";".join([colour, "warm"] if colour == "red" else [colour])
            # A third nobody labelled for its looks, and as many not for their shape.
            cells = (
                (shape, "") if number % 9 < 3 else ("", looks) if number % 9 > 5 else (shape, looks)
            )
            writer.writerow([row["image"], row["text"], *cells])
    export(load_recipe(str(recipe)), Workspace(folder / "workspace"), folder / "repository")
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with running_stack(folder / "repository", "shapes", folder) as stack:
        yield stack.url


def test_tasks_are_answered_through_triton_as_the_table_says(folder: Path, url: str) -> None:
    image = (folder / "recipe" / "data" / "images" / "000.png").read_bytes()  # a red square

    answer = httpx.post(
        f"{url}/v1/classify", files={"image": image}, data={"text": "the square"}, timeout=60
    ).json()

    assert answer["tasks"]["shape"]["label"] == answer["label"] == "square"
    looks = answer["tasks"]["looks"]
    assert {each["label"] for each in looks["labels"]} == {"red", "warm"}
    assert {each["label"] for each in looks["top_k"]} == {"red", "warm", "green", "blue"}


def test_models_tell_tasks_and_the_threshold_that_the_recipe_set(url: str) -> None:
    [model] = httpx.get(f"{url}/v1/models", timeout=60).json()["models"]

    shape, looks = model["tasks"]
    assert (shape["kind"], shape["labels"]) == ("one", ["circle", "square"])
    assert (looks["kind"], looks["labels"]) == ("several", ["blue", "green", "red", "warm"])
    assert all(thresholds[3] == 0.5 for thresholds in looks["thresholds"].values())


def test_report_has_every_task_with_its_own_figures(folder: Path) -> None:
    recipe = load_recipe(str(folder / "recipe" / "shapes.toml"))
    variant = load_trained(recipe, Workspace(folder / "workspace"))
    assert variant is not None
    write_report(variant)

    report = json.loads((variant.run_folder / "report.json").read_text(encoding="utf-8"))
    looks = report["tasks"]["looks"]["modalities"]["both"]
    assert looks["examples"] < sum(report["examples"].values())
    assert looks["micro_f1"] > 0.8  # red, green and blue fill the image's middle
    assert set(looks["thresholds"]) == {"red", "green", "blue", "warm"}
    assert report["parity"]["both"]["label_flips"] == 0
    text = (variant.run_folder / "report.md").read_text(encoding="utf-8")
    assert "## Task looks" in text
    assert "threshold" in text
