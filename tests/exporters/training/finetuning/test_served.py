"""A fine-tuned variant on the real Triton: its own encoders, proved against torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporters.evaluation.parity import read_proofs
from exporters.finetune_option import with_finetune
from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.e2e
def test_export_of_a_fine_tuned_recipe_is_proved_and_shares_no_encoder_with_the_frozen_one(
    tmp_path: Path,
) -> None:
    recipe = load_recipe(str(write_small_recipe(tmp_path / "recipe")))
    fast = recipe.finetune.model_copy(update={"epochs": 2, "learning_rate": 1e-3})
    recipe = recipe.model_copy(update={"finetune": fast})
    workspace, repository = Workspace(tmp_path / "workspace"), tmp_path / "repository"

    frozen = export(recipe, workspace, repository)
    tuned = export(with_finetune(recipe, "1"), workspace, repository)

    proofs = read_proofs(tuned.report.parent)
    assert {each for each, proof in proofs.items() if proof.has_passed} == set(ModalitySet)
    assert "## Fine-tuning" in tuned.report.read_text(encoding="utf-8")
    assert set(tuned.ensembles.values()).isdisjoint(frozen.ensembles.values())
    assert len(list(repository.glob("text-encoder-*"))) == 2
    assert len(list(repository.glob("image-encoder-*"))) == 2
