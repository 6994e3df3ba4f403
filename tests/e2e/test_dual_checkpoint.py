"""A CLIP from a local folder: exported, proved, served, and classified as transformers does."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from scipy.special import softmax

from exporters.alignment import load_aligned
from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.e2e.stack import running_stack
from tests.exporters.alignment.test_checkpoint_logits import LABELS, reference_logits
from tests.small_dual_tower import write_dual_checkpoint_recipe

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


def test_served_clip_answers_with_the_probabilities_of_transformers(tmp_path: Path) -> None:
    recipe = load_recipe(str(write_dual_checkpoint_recipe(tmp_path / "recipe", "clip")))
    workspace, repository = Workspace(tmp_path / "workspace"), tmp_path / "repository"
    published = export(recipe, workspace, repository)
    towers = load_aligned(recipe, workspace)
    assert published.is_new
    assert towers is not None
    examples = towers.inputs.table.examples[:6]
    logits = reference_logits("clip", tmp_path / "recipe" / "clip", examples)
    temperature = towers.scorings[ModalitySet.IMAGE].temperature
    expected = softmax(logits.astype(np.float64) / temperature, axis=-1)

    with running_stack(repository, recipe.name, tmp_path) as stack:
        for example, probabilities in zip(examples, expected, strict=True):
            body = {
                "image": base64.b64encode(example.image.read_bytes()).decode(),
                "labels": list(LABELS),
                "top_k": len(LABELS),
            }
            response = httpx.post(
                f"{stack.url}/v1/classify", json=body, timeout=30, trust_env=False
            )
            assert response.status_code == 200, response.text
            scores = {each["label"]: each["score"] for each in response.json()["top_k"]}
            # What the export's own proof allows.
            assert [scores[label] for label in LABELS] == pytest.approx(probabilities, abs=1e-3)
