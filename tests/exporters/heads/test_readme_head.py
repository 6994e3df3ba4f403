"""The README's new head: one file, put into the folder and named in a recipe, and nothing else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

import exporters.heads
from exporters.conversion.graphs import IMAGE_FEATURES, TEXT_FEATURES, export_head
from exporters.evaluation import measure_quality
from exporters.heads import HEADS, head_for
from exporters.heads.registry import import_heads
from exporters.recipe import load_recipe
from exporters.training import TrainedVariant, train
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.readme_examples import example
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "hadamard"
SOURCE = example("python", "head")


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainedVariant]:
    folder = tmp_path_factory.mktemp("head")
    (folder / "heads").mkdir()
    (folder / "heads" / f"{NAME}.py").write_text(SOURCE, encoding="utf-8")
    recipe_file = write_small_recipe(folder / "recipe")
    recipe = recipe_file.read_text(encoding="utf-8").replace('"gated"', f'"{NAME}"')
    recipe_file.write_text(recipe, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        # As if the file lay in exporters/heads, which a test leaves alone.
        added = str(folder / "heads")
        patch.setattr(exporters.heads, "__path__", [*exporters.heads.__path__, added])
        import_heads("exporters.heads", [added])
        yield train(load_recipe(str(recipe_file)), Workspace(folder / "workspace"))
        del HEADS[NAME], sys.modules[f"exporters.heads.{NAME}"]


def test_readme_head_has_fewer_than_80_lines() -> None:
    assert len(SOURCE.splitlines()) < 80


def test_readme_head_trains_and_is_calibrated(variant: TrainedVariant) -> None:
    assert type(variant.head).__module__ == f"exporters.heads.{NAME}"
    assert set(variant.temperatures) == set(ModalitySet)
    truth = variant.table.label_indices[variant.split.holdout]
    largest_share = np.bincount(truth).max() / len(truth)
    accuracy = {each: found.quality.accuracy for each, found in measure_quality(variant).items()}
    assert accuracy[ModalitySet.BOTH] > accuracy[ModalitySet.TEXT] > largest_share


@pytest.mark.parametrize("modalities", ModalitySet)
def test_readme_head_exports(
    variant: TrainedVariant, modalities: ModalitySet, tmp_path: Path
) -> None:
    inputs = {}
    if modalities.has_text:
        inputs[TEXT_FEATURES] = (variant.text_encoder.dim,)
    if modalities.has_image:
        inputs[IMAGE_FEATURES] = (variant.image_encoder.dim,)

    # Raises when the graph's numbers are not the head's.
    export_head(head_for(variant.head, modalities).eval(), inputs, tmp_path / "head.onnx")

    assert (tmp_path / "head.onnx").stat().st_size > 0
