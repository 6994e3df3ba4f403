"""A compressed variant with small encoders on the real Triton, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from deploy.local.triton_server import BundledTriton, free_ports
from exporters.compression import CompressedVariant, compress, parse_steps
from exporters.compression.batch_dependence import BatchDependence
from exporters.compression.errors import BatchDependenceError
from exporters.compression.side import Side
from exporters.evaluation.parity import served_logits
from exporters.publishing.compressed import publish_compressed
from exporters.recipe import load_recipe
from exporters.training import TrainedVariant, train
from exporters.workspace import Workspace
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest, ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.publishing import Published


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compressed")


@pytest.fixture(scope="module")
def original(folder: Path) -> TrainedVariant:
    recipe = load_recipe(str(write_small_recipe(folder / "recipe")))
    return train(recipe, Workspace(folder / "workspace"))


@pytest.fixture(scope="module")
def compressed(original: TrainedVariant, folder: Path) -> CompressedVariant:
    return compress(original, parse_steps(["int8"]), Workspace(folder / "workspace"))


@pytest.fixture(scope="module")
def published(compressed: CompressedVariant, folder: Path) -> Published:
    return publish_compressed(compressed, folder / "repository")


def manifest_of(repository: Path, ensemble: str) -> EnsembleManifest:
    text = (repository / ensemble / "config.pbtxt").read_text(encoding="utf-8")
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    return EnsembleManifest.model_validate_json(config.parameters[MANIFEST_PARAMETER].string_value)


@pytest.mark.e2e
def test_compressed_variant_is_published_under_its_own_name_with_what_it_was_made_from(
    published: Published, folder: Path
) -> None:
    for modalities, ensemble in published.ensembles.items():
        manifest = manifest_of(folder / "repository", ensemble)

        assert manifest.variant == "shapes-int8"
        assert manifest.modalities == modalities
        assert manifest.provenance.recipe == "shapes"
        assert manifest.provenance.compression == ("int8",)
        assert manifest.parity is not None
        assert manifest.parity.has_passed
        assert manifest.parity.precision == "int8"
        distance = manifest.parity.distance_to_original
        assert distance is not None
        assert distance.max_abs_difference > manifest.parity.max_abs_difference


@pytest.mark.e2e
def test_report_of_a_compression_says_what_it_costs_and_what_it_gains(
    published: Published, compressed: CompressedVariant
) -> None:
    report = published.report.read_text(encoding="utf-8")

    assert published.report.parent == compressed.variant.run_folder
    for words in ("What it costs", "What it gains", "Most sensitive", "from fp32", "fitted again"):
        assert words in report
    assert (published.report.parent / "compression.json").is_file()


@pytest.mark.e2e
def test_served_int8_answers_do_not_depend_on_batch_mates(
    published: Published, compressed: CompressedVariant, folder: Path, tmp_path: Path
) -> None:
    examples = compressed.variant.holdout_examples[:48]
    ensemble = published.ensembles[ModalitySet.BOTH]
    http_port, grpc_port, metrics_port = free_ports(3)

    with BundledTriton(
        repository=folder / "repository",
        models=[ensemble],
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        log_path=tmp_path / "triton.log",
    ) as triton:
        alone = served_logits(triton.grpc_url, ensemble, examples, ModalitySet.BOTH, 1)
        in_company = served_logits(triton.grpc_url, ensemble, examples, ModalitySet.BOTH, 16)

    # Padding to a longer mate changes the order of fp32 sums in attention and pooling, no more.
    np.testing.assert_allclose(in_company, alone, atol=1e-5)


def test_batch_dependent_variant_is_refused_unless_that_is_accepted(
    compressed: CompressedVariant, folder: Path
) -> None:
    text = compressed.last.encoders[Side.TEXT]
    dependent = replace(text, batch_dependence=BatchDependence(96, 0.2, 0.99, 0.93))
    last = replace(compressed.last, encoders={**compressed.last.encoders, Side.TEXT: dependent})

    with pytest.raises(BatchDependenceError) as caught:
        publish_compressed(
            replace(compressed, stages=(*compressed.stages[:-1], last)), folder / "refused"
        )

    assert "--accept-batch-dependence" in caught.value.remedy
    assert not (folder / "refused").exists()
