from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from exporters.alignment import Scoring
from exporters.publishing import export
from exporters.publishing.dual_tower import compare_embeddings
from exporters.recipe import load_recipe
from exporters.workspace import Workspace
from gateway.contract.manifest import (
    MANIFEST_PARAMETER,
    EnsembleManifest,
    ModalitySet,
    VariantKind,
)
from tests.small_dual_tower import write_small_dual_recipe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_compare_embeddings_counts_a_label_that_flips(activation: str) -> None:
    scoring = Scoring(activation, 10.0, -1.0, 1.0)  # type: ignore[arg-type] # two literals
    labels = np.eye(2, dtype=np.float32)
    samples = np.array([[1.0, 0.0], [0.6, 0.8]], dtype=np.float32)
    flipped = np.array([[1.0, 0.0], [0.8, 0.6]], dtype=np.float32)

    same = compare_embeddings((samples, labels), (samples, labels), scoring, 1e-3)
    other = compare_embeddings((samples, labels), (flipped, labels), scoring, 1e-3)

    assert same.has_passed
    assert (other.label_flips, other.has_passed) == (1, False)


def test_compare_embeddings_counts_a_difference_that_no_score_shows() -> None:
    scoring = Scoring("softmax", 10.0, 0.0, 1.0)
    labels = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=np.float32)
    samples = np.array([[0.6, 0.0, 0.8]], dtype=np.float32)
    turned = samples * np.array([1.0, 1.0, -1.0], dtype=np.float32)

    proof = compare_embeddings((samples, labels), (turned, labels), scoring, 1e-3)

    assert proof.label_flips == 0
    assert not proof.has_passed


@pytest.mark.e2e
def test_export_publishes_a_dual_tower_with_its_proof(tmp_path: Path) -> None:
    recipe = load_recipe(str(write_small_dual_recipe(tmp_path / "recipe")))
    repository = tmp_path / "repository"

    published = export(recipe, Workspace(tmp_path / "workspace"), repository)

    manifests = {}
    for modalities, model in published.ensembles.items():
        text = (repository / model / "config.pbtxt").read_text(encoding="utf-8")
        config = text_format.Parse(text, model_config_pb2.ModelConfig())
        assert "EMBEDDING" in {output.name for output in config.output}
        parameter = config.parameters[MANIFEST_PARAMETER].string_value
        manifests[modalities] = EnsembleManifest.model_validate_json(parameter)
    assert set(manifests) == set(ModalitySet)
    for manifest in manifests.values():
        assert manifest.kind is VariantKind.DUAL_TOWER
        assert manifest.parity is not None
        assert manifest.parity.has_passed
        assert manifest.parity.label_flips == 0
    assert "## Parity" in published.report.read_text(encoding="utf-8")
    assert not export(recipe, Workspace(tmp_path / "workspace"), repository).is_new
