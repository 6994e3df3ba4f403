"""CLIP, SigLIP and BLIP from local folders: served, they classify as transformers does.

Each is exported with its proof; one Triton and one gateway serve the three side by side.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from scipy.special import expit, softmax

from exporters.alignment import load_aligned
from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.e2e.stack import running_stack
from tests.exporters.alignment.test_checkpoint_logits import LABELS, reference_logits
from tests.small_dual_tower import write_dual_checkpoint_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.alignment import AlignedTowers, Scoring
    from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

FAMILIES = ("clip", "siglip", "blip")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dual-checkpoints")


@pytest.fixture(scope="module")
def towers(folder: Path) -> dict[str, AlignedTowers]:
    """The variants, exported and proved into one repository."""
    exported = {}
    for family in FAMILIES:
        recipe = load_recipe(str(write_dual_checkpoint_recipe(folder / family, family)))
        workspace = Workspace(folder / "workspace")
        assert export(recipe, workspace, folder / "repository").is_new
        aligned = load_aligned(recipe, workspace)
        assert aligned is not None
        exported[family] = aligned
    return exported


@pytest.fixture(scope="module")
def stack(folder: Path, towers: dict[str, AlignedTowers]) -> Iterator[Stack]:
    variants = [each.recipe.name for each in towers.values()]
    with running_stack(folder / "repository", variants, folder) as running:
        yield running


def documented_scores(
    family: str, logits: NDArray[np.float32], scoring: Scoring
) -> NDArray[np.float64]:
    """What the README says of a checkpoint's scores, from the logits of transformers.

    SigLIP's `logits_per_image` have scale and bias in them, and a label's score is their sigmoid,
    whatever other labels there are. CLIP's are shared out by a softmax with the fitted temperature,
    as are BLIP's cosines, which its checkpoint has no scale for.
    """
    scale = scoring.logit_scale if family == "blip" else 1.0
    scores: NDArray[np.float64]
    if family == "siglip":
        scores = expit(logits.astype(np.float64))
    else:
        scores = softmax(logits.astype(np.float64) * scale / scoring.temperature, axis=-1)
    return scores


@pytest.mark.parametrize("family", FAMILIES)
def test_served_checkpoint_answers_with_the_scores_of_transformers(
    family: str, folder: Path, towers: dict[str, AlignedTowers], stack: Stack
) -> None:
    aligned = towers[family]
    examples = aligned.inputs.table.examples[:6]
    logits = reference_logits(family, folder / family / family, examples)
    expected = documented_scores(family, logits, aligned.scorings[ModalitySet.IMAGE])

    for example, wanted in zip(examples, expected, strict=True):
        body = {
            "variant": aligned.recipe.name,
            "image": base64.b64encode(example.image.read_bytes()).decode(),
            "labels": list(LABELS),
            "top_k": len(LABELS),
        }
        response = httpx.post(f"{stack.url}/v1/classify", json=body, timeout=30, trust_env=False)
        assert response.status_code == 200, response.text
        scores = {each["label"]: each["score"] for each in response.json()["top_k"]}
        # What the export's own proof allows.
        assert [scores[label] for label in LABELS] == pytest.approx(wanted, abs=1e-3)
    # Images differ by more than is allowed: scores of another image would not pass.
    assert np.ptp(expected, axis=0).max() > 1e-2


def test_siglip_s_scores_do_not_depend_on_the_other_labels(
    towers: dict[str, AlignedTowers], stack: Stack
) -> None:
    example = towers["siglip"].inputs.table.examples[0]
    body = {
        "variant": towers["siglip"].recipe.name,
        "image": base64.b64encode(example.image.read_bytes()).decode(),
    }

    def score_of_first(labels: list[str]) -> float:
        response = httpx.post(
            f"{stack.url}/v1/classify",
            json=body | {"labels": labels, "top_k": len(labels)},
            timeout=30,
            trust_env=False,
        )
        assert response.status_code == 200, response.text
        scores = {each["label"]: each["score"] for each in response.json()["top_k"]}
        return float(scores[labels[0]])

    # The label's direction is cached, and the image is encoded again: fp32, and the same graph.
    assert score_of_first(list(LABELS[:2])) == pytest.approx(score_of_first(list(LABELS)), abs=1e-6)
