"""A head over tokens and cells: trained, exported, proved and served by the real Triton."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tritonclient.grpc

from exporters.compression import compress, parse_steps
from exporters.conversion.tensorrt.library import find_rehearsal
from exporters.doctor import examine, read_repository
from exporters.publishing import export
from exporters.publishing.compressed import publish_compressed
from exporters.publishing.native import export_native
from exporters.publishing.proof import served
from exporters.recipe import load_recipe
from exporters.repository.native_target import NATIVE_TARGETS
from exporters.training import load_trained
from exporters.workspace import Workspace
from gateway.contract import tensors
from gateway.contract.manifest import ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from exporters.publishing import Published
    from exporters.recipe import Recipe
    from exporters.training import TrainedVariant

pytestmark = pytest.mark.e2e

_LENGTHS = (1, 12, 3, 25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sequences")


@pytest.fixture(scope="module")
def recipe(folder: Path) -> Recipe:
    return load_recipe(str(write_small_recipe(folder / "recipe", head="cross_attention")))


@pytest.fixture(scope="module")
def published(recipe: Recipe, folder: Path) -> Published:
    return export(recipe, Workspace(folder / "workspace"), folder / "repository")


@pytest.fixture(scope="module")
def variant(published: Published, recipe: Recipe, folder: Path) -> TrainedVariant:
    assert published.is_new
    found = load_trained(recipe, Workspace(folder / "workspace"))
    assert found is not None
    return found


def test_export_proves_a_head_over_sequences_with_every_set_of_modalities(
    published: Published, folder: Path
) -> None:
    repository = read_repository(folder / "repository")

    assert set(published.ensembles) == set(ModalitySet)
    for ensemble in repository.ensembles:
        assert ensemble.manifest is not None
        assert ensemble.manifest.parity is not None
        assert ensemble.manifest.parity.has_passed
    encoders = [model for name, model in repository.models.items() if "-encoder-" in name]
    for encoder in encoders:  # the pooled feature stays beside what the head asked for
        assert {"FEATURES", "SEQUENCE"} <= {output.name for output in encoder.config.output}


def _ask(url: str, ensemble: str, **rows: list[bytes]) -> npt.NDArray[np.float32]:
    """Sends one request of several rows."""
    inputs = []
    for name, values in rows.items():
        tensor = tritonclient.grpc.InferInput(name, [len(values), 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[value] for value in values], dtype=np.object_))
        inputs.append(tensor)
    with tritonclient.grpc.InferenceServerClient(url) as client:
        logits: npt.NDArray[np.float32] = client.infer(ensemble, inputs).as_numpy(tensors.LOGITS)
    return logits


def test_texts_of_different_lengths_share_a_batch_and_keep_their_answers(
    published: Published, variant: TrainedVariant, folder: Path, tmp_path: Path
) -> None:
    texts = [" ".join(["red square on a white ground"] * 5).split()[:count] for count in _LENGTHS]
    rows = [" ".join(words).encode() for words in texts]
    images = [each.image.read_bytes() for each in variant.holdout_examples[: len(rows)]]
    both = published.ensembles[ModalitySet.BOTH]
    text_alone = published.ensembles[ModalitySet.TEXT]

    with served(folder / "repository", [both, text_alone], tmp_path) as url:
        alone = [
            _ask(url, both, TEXT=[row], IMAGE=[image])
            for row, image in zip(rows, images, strict=True)
        ]
        together = _ask(url, both, TEXT=rows, IMAGE=images)
        with ThreadPoolExecutor(8) as pool:  # requests of one row, which Triton puts into batches
            at_once = list(pool.map(lambda row: _ask(url, text_alone, TEXT=[row]), rows * 6))
        text_by_text = [_ask(url, text_alone, TEXT=[row]) for row in rows]

    # Padding changes the order of fp32 sums, which are of the order of 1 here.
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)
    np.testing.assert_allclose(np.concatenate(at_once), np.concatenate(text_by_text * 6), atol=1e-5)
    assert np.ptp(np.concatenate(text_by_text), axis=0).max() > 1e-3  # the texts do differ


def test_native_targets_take_a_head_over_sequences(
    variant: TrainedVariant, folder: Path, tmp_path: Path
) -> None:
    written = export_native(
        variant.recipe,
        Workspace(folder / "workspace"),
        tuple(NATIVE_TARGETS.values()),
        tmp_path,
        find_library=find_rehearsal,
    )

    for each in written:
        findings = examine(read_repository(each.repository))
        assert {finding.code for finding in findings} == {"passport-missing"}
    [engines] = [each.engines for each in written if each.target == "tensorrt"]
    profiles = {engine.graph: engine.profiles for engine in engines}
    # A text of up to 32 tokens comes in two bucket lengths.
    assert profiles["head-both.onnx"] == profiles["head-text.onnx"] == 2


def test_compressed_head_over_sequences_is_proved_and_published(
    variant: TrainedVariant, folder: Path
) -> None:
    steps = parse_steps(["prune-structure@text:epochs=0", "int8:sensitivity=0"])
    compressed = compress(variant, steps, Workspace(folder / "workspace"), is_head_refitted=True)

    published = publish_compressed(compressed, folder / "repository")

    repository = read_repository(folder / "repository")
    ensembles = {each.name: each for each in repository.ensembles}
    for ensemble in published.ensembles.values():
        manifest = ensembles[ensemble].manifest
        assert manifest is not None
        assert manifest.parity is not None
        assert manifest.parity.has_passed
        assert manifest.parity.precision == "int8"
