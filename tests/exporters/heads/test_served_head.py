"""A late-fusion head on the real Triton: the head whose graph is least like a perceptron."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from exporters.publishing import export
from exporters.recipe import load_recipe
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


def test_soft_vote_is_served_as_it_was_trained(tmp_path: Path) -> None:
    recipe_file = write_small_recipe(tmp_path / "recipe")
    recipe = recipe_file.read_text(encoding="utf-8").replace('"gated"', '"soft_vote"')
    recipe_file.write_text(recipe, encoding="utf-8")

    # Sends held-out files through the served ensembles, and raises when an answer is not torch's.
    published = export(
        load_recipe(str(recipe_file)), Workspace(tmp_path / "workspace"), tmp_path / "repository"
    )

    assert set(published.ensembles) == set(ModalitySet)
    report = json.loads(published.report.with_name("report.json").read_text(encoding="utf-8"))
    assert all(proof["max_abs_difference"] < 1e-3 for proof in report["parity"].values())
