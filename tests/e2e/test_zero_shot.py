"""A dual tower from recipe to answer: aligned, exported, proved, served, and asked with labels."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from scipy.special import softmax

from exporters.alignment import AlignedTowers, load_aligned
from exporters.alignment.projections import embeddings_of
from exporters.evaluation.zero_shot import logits_of_scoring
from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.conftest import ROOT
from tests.e2e.stack import Stack, running_stack
from tests.readme_examples import example
from tests.small_dual_tower import write_small_dual_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

LABELS = ["red square", "green circle", "white ground", "blue"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zero-shot")


@pytest.fixture(scope="module")
def towers(folder: Path) -> AlignedTowers:
    """The torch side of what `stack` serves."""
    recipe = load_recipe(str(write_small_dual_recipe(folder / "recipe")))
    workspace = Workspace(folder / "workspace")
    export(recipe, workspace, folder / "repository")
    aligned = load_aligned(recipe, workspace)
    assert aligned is not None
    return aligned


@pytest.fixture(scope="module")
def stack(folder: Path, towers: AlignedTowers) -> Iterator[Stack]:
    with running_stack(folder / "repository", towers.recipe.name, folder) as running:
        yield running


def ask(stack: Stack, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    response = httpx.post(f"{stack.url}/v1/classify", json=body, timeout=30, trust_env=False)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_answers_with_labels_are_those_of_torch(stack: Stack, towers: AlignedTowers) -> None:
    directions = towers.label_directions(LABELS).numpy()
    scoring = towers.scorings[ModalitySet.TEXT]
    embeddings = embeddings_of(towers.projections, towers.features, ModalitySet.TEXT).numpy()
    logits = logits_of_scoring(embeddings[:8], directions, scoring)
    expected = softmax(logits.astype(np.float64) / scoring.temperature, axis=-1)

    for row, probabilities in enumerate(expected):
        answer = ask(stack, text=towers.inputs.table.texts[row], labels=LABELS, top_k=4)
        scores = {each["label"]: each["score"] for each in answer["top_k"]}
        served = [scores[label] for label in LABELS]
        # What the export's own proof allows; batches are padded to other lengths here and there.
        assert np.abs(np.array(served) - probabilities).max() < 1e-3
        assert answer["label"] == LABELS[int(probabilities.argmax())]


def test_readme_example_classifies_an_image_into_the_labels_it_gives(stack: Stack) -> None:
    code = example("sh", "zero-shot").replace("127.0.0.1:8080", stack.url.removeprefix("http://"))

    result = subprocess.run(
        ["bash", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    labels = {each["label"] for each in answer["top_k"]}
    assert labels == {"small animal", "food to eat", "musical instrument"}
    assert answer["variant"] == "shapes-zero-shot"
