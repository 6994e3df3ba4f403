"""Native targets: what is written, and that the real Triton answers with it as torch does."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from deploy.local.errors import RepositoryError
from deploy.local.published import select
from deploy.local.triton_server import BundledTriton, free_ports
from exporters.cli import main
from exporters.conversion.errors import GraphSignatureError
from exporters.conversion.tensorrt.library import find_rehearsal
from exporters.conversion.tensorrt.precisions import PRODUCTS
from exporters.doctor import examine, read_repository
from exporters.evaluation.parity import compare, served_logits, torch_logits
from exporters.publishing.native import export_native
from exporters.publishing.stage import convert
from exporters.recipe import load_recipe
from exporters.repository.native_target import NATIVE_TARGETS, Precision, native_target
from exporters.training import train
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.exporters.publishing.onnxruntime_stand_in import stand_in
from tests.quantised_graphs import quantise
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.publishing.native import Written
    from exporters.training import TrainedVariant

pytestmark = pytest.mark.e2e

# fp32 in another order of summation moved a probability by 2.5e-6. A half has 11 bits, which
# moved the features of this small variant by 4e-3 and a probability by 5e-3.
TOLERANCES = {"cpu": 1e-4, "gpu": 2e-2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("native")
    write_small_recipe(folder / "recipe")
    return folder


@pytest.fixture(scope="module")
def variant(folder: Path) -> TrainedVariant:
    recipe = load_recipe(str(folder / "recipe" / "shapes.toml"))
    return train(recipe, Workspace(folder / "workspace"))


@pytest.fixture(scope="module")
def written(variant: TrainedVariant, folder: Path) -> dict[str, Written]:
    targets = tuple(NATIVE_TARGETS.values())
    repositories = export_native(
        variant.recipe,
        Workspace(folder / "workspace"),
        targets,
        folder / "targets",
        find_library=find_rehearsal,
    )
    return {each.target: each for each in repositories}


@pytest.mark.parametrize("target", NATIVE_TARGETS)
def test_export_native_is_written_unproved_and_otherwise_sound(
    written: dict[str, Written], target: str
) -> None:
    repository = read_repository(written[target].repository)
    manifests = [ensemble.manifest for ensemble in repository.ensembles]

    assert {manifest.parity for manifest in manifests if manifest} == {None}
    device = NATIVE_TARGETS[target].device
    assert {manifest.expected_device for manifest in manifests if manifest} == {device}
    assert {finding.code for finding in examine(repository)} == {"passport-missing"}
    assert len(repository.models) == 10


def test_export_native_for_tensorrt_builds_all_its_graphs_in_the_precision_that_it_names(
    written: dict[str, Written],
) -> None:
    products = {each.graph: each.layers[PRODUCTS] for each in written["tensorrt"].engines}
    plans = list(written["tensorrt"].repository.glob("*/1/model.plan"))

    assert {name: set(found) for name, found in products.items()} == {
        "image-fp16.onnx": {"fp16"},
        "text-fp16.onnx": {"fp16"},
        "head-both.onnx": {"fp32"},
        "head-text.onnx": {"fp32"},
        "head-image.onnx": {"fp32"},
    }
    assert len(plans) == len(products)


def test_export_native_in_int8_takes_the_quantised_graphs_that_it_is_given(
    variant: TrainedVariant, folder: Path, tmp_path: Path
) -> None:
    graphs = convert(variant, tmp_path)
    ids, mask = variant.text_encoder.tokenizer.encode_batch(["red square", "a small blue circle"])
    size = variant.image_encoder.preprocessing
    noise = np.random.default_rng(0).integers(0, 256, (2, size.height, size.width, 3), np.uint8)
    given = tmp_path / "quantised"
    quantise(graphs.text, given / "text.onnx", [{"input_ids": ids, "attention_mask": mask}])
    quantise(graphs.image, given / "image.onnx", [{"pixels": noise}])

    [written] = export_native(
        variant.recipe,
        Workspace(folder / "workspace"),
        [native_target("tensorrt", Precision.INT8)],
        tmp_path / "targets",
        quantised=given,
        find_library=find_rehearsal,
    )

    products = {each.graph: each.layers[PRODUCTS] for each in written.engines}
    assert set(products["text.onnx"]) == set(products["image.onnx"]) == {"int8"}
    assert list(written.repository.glob("text-encoder-int8-*/1/model.plan"))


def test_export_native_in_int8_with_the_graphs_exchanged_is_refused(
    variant: TrainedVariant, folder: Path, tmp_path: Path
) -> None:
    graphs = convert(variant, tmp_path)
    given = tmp_path / "quantised"
    given.mkdir()
    shutil.copyfile(graphs.text, given / "image.onnx")
    shutil.copyfile(graphs.image, given / "text.onnx")
    target = native_target("cpu", Precision.INT8)

    with pytest.raises(GraphSignatureError, match=r"text\.onnx.*pixels"):
        export_native(
            variant.recipe,
            Workspace(folder / "workspace"),
            [target],
            tmp_path / "targets",
            quantised=given,
        )


def test_export_command_for_tensorrt_without_its_package_trains_nothing_and_says_why(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = str(folder / "recipe" / "shapes.toml")
    words = ["exporters", "export", recipe, "--target", "tensorrt", "--workspace", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)

    with pytest.raises(SystemExit) as ending:
        main()

    assert ending.value.code == 2
    assert "'tensorrt' is not installed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_export_native_is_not_chosen_to_be_served(written: dict[str, Written]) -> None:
    with pytest.raises(RepositoryError, match="parity"):
        select(written["cpu"].repository)


def test_export_command_writes_where_it_is_told_and_says_that_it_is_not_proved(
    written: dict[str, Written],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"--workspace": folder / "workspace", "--target-folder": tmp_path / "targets"}
    options = [str(word) for option in places.items() for word in option]
    recipe = str(folder / "recipe" / "shapes.toml")
    monkeypatch.setattr(sys, "argv", ["exporters", "export", recipe, "--target", "cpu", *options])
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SystemExit) as ending:
        main()

    assert ending.value.code == 0
    assert "NOT PROVED" in capsys.readouterr().out
    again = {path.name for path in (tmp_path / "targets" / "cpu").iterdir()}
    assert again == {path.name for path in written["cpu"].repository.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["targets"]  # nothing was published


# Each python model is a process that takes a second to start: the second target is served in part.
@pytest.mark.parametrize(
    ("target", "served"), [("cpu", tuple(ModalitySet)), ("gpu", (ModalitySet.BOTH,))]
)
def test_export_native_answers_as_torch_does(
    written: dict[str, Written],
    variant: TrainedVariant,
    target: str,
    served: tuple[ModalitySet, ...],
    tmp_path: Path,
) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(written[target].repository, repository)
    stand_in(repository)
    ensembles = written[target].ensembles
    examples = variant.holdout_examples[:32]
    http_port, grpc_port, metrics_port = free_ports(3)

    with BundledTriton(
        repository=repository,
        models=[ensembles[modalities] for modalities in served],
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        log_path=tmp_path / "triton.log",
    ) as triton:
        for modalities in served:
            parity = compare(
                torch_logits(variant, examples, modalities),
                served_logits(triton.grpc_url, ensembles[modalities], examples, modalities),
                variant.tasks,
                variant.calibrations[modalities],
                TOLERANCES[target],
            )
            assert parity.max_abs_difference < TOLERANCES[target]
