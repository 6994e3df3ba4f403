"""A candidate's drift reference: what it was made for is no drift, and what was before it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from exporters.digests import digest_of_json
from exporters.drift.sources import reference_of_variant
from exporters.recipe import load_recipe
from exporters.repository.model_config import EnsembleModel, to_pbtxt
from exporters.retraining.live import LiveVariant
from exporters.retraining.parts import divide
from exporters.retraining.recent import InputFacts, RecentExamples
from exporters.retraining.reference import reference_of_candidate, reference_rows
from exporters.training import train
from exporters.workspace import Workspace
from gateway.contract.drift.properties import ImageProperties, TextProperties
from gateway.contract.drift.window import DriftKind, DriftTests
from gateway.contract.manifest import ModalitySet
from tests.gateway.manifests import make_manifest
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.training import TrainedVariant
    from gateway.contract.drift.reference import DriftReference
    from gateway.contract.drift.window import WatchedItem

FILE, SHAPE = ImageProperties(900, 40, 40, "png"), TextProperties(12, "latin")


@dataclass(frozen=True)
class Served:
    """A variant, as it lies in a repository."""

    variant: TrainedVariant
    reference: DriftReference
    live: LiveVariant
    repository: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("reference")
    recipe = load_recipe(str(write_small_recipe(folder / "recipe")))
    variant = train(recipe, Workspace(folder / "workspace"))
    reference, manifest = reference_of_variant(variant), make_manifest()
    model = EnsembleModel("demo-both", (), (), 1, (), manifest, reference)
    (folder / "repository" / model.name).mkdir(parents=True)
    (folder / "repository" / model.name / "config.pbtxt").write_text(to_pbtxt(model))
    live = LiveVariant(manifest, folder / "no.onnx", frozenset({manifest.digest}))
    return Served(variant, reference, live, folder / "repository")


def moved(features: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Ten times a held-out example, each time a little different, all of them elsewhere."""
    spread = features.std()
    many = np.tile(features, (10, 1)) + 3 * spread
    found: NDArray[np.float32] = (many + 0.3 * spread * rng.normal(size=many.shape)).astype("f4")
    return found


def recent_of(served: Served, digest: str) -> RecentExamples:
    rng = np.random.default_rng(7)
    rows = served.variant.split.holdout
    features = served.variant.features
    text, image = (moved(each.numpy()[rows], rng) for each in (features.text, features.image))
    count = len(text)
    facts = tuple(InputFacts(digest, FILE, SHAPE, -7.0 + 0.01 * row) for row in range(count))
    truth = np.tile(served.variant.table.label_indices[rows], 10)
    weights = np.ones(count)
    return RecentExamples(
        text, image, truth, weights, facts, None, None, digest_of_json([]), left_out={}
    )


def candidate_reference(served: Served, recent: RecentExamples) -> DriftReference:
    parts = divide(served.variant, recent)
    assert 30 < len(reference_rows(parts)) < len(recent)
    return reference_of_candidate(served.variant, recent, parts, served.live, served.repository)


def items_of(recent: RecentExamples, tests: DriftTests) -> list[WatchedItem]:
    return [
        replace(
            tests.watch((image, text), (None, None), {}),
            image_file=each.image_file,
            text_shape=each.text_shape,
            familiarity=each.familiarity,
        )
        for image, text, each in zip(recent.image, recent.text, recent.inputs, strict=True)
    ]


def drifting(reference: DriftReference, recent: RecentExamples) -> set[DriftKind]:
    tests = DriftTests(reference)
    findings = tests.judge(items_of(recent, tests), ModalitySet.BOTH, 1e-4)
    return {each.kind for each in findings if each.is_drifting}


def test_traffic_that_a_candidate_was_made_for_is_drift_to_the_original_alone(
    served: Served,
) -> None:
    recent = recent_of(served, served.live.manifest.digest)
    candidate = candidate_reference(served, recent)
    features, rows = served.variant.features, served.variant.split.holdout
    before = replace(
        recent,
        text=recent.text - 3 * features.text.numpy()[rows].std(),
        image=recent.image - 3 * features.image.numpy()[rows].std(),
    )

    embeddings = {DriftKind.TEXT_EMBEDDING, DriftKind.IMAGE_EMBEDDING}
    assert embeddings <= drifting(served.reference, recent)
    assert drifting(candidate, recent) == set()
    assert embeddings & drifting(candidate, before)
    assert candidate.language_profile == served.reference.language_profile
    assert set(candidate.answers_to(ModalitySet.TEXT)) == {""}


def test_familiarity_by_another_profile_is_not_compared(served: Served) -> None:
    recent = recent_of(served, "f" * 64)

    candidate = candidate_reference(served, recent)

    assert "language" not in candidate.text_properties.values
    assert "characters" in candidate.text_properties.values
    assert drifting(candidate, recent) == set()
