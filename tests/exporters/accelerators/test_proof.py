"""The proof on a device as far as it reaches without one: the CPU's provider stands for CUDA's."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from exporters.accelerators import run
from exporters.accelerators.device import find_gpu
from exporters.accelerators.proof import prove_on
from exporters.accelerators.runtimes import OnnxRuntime, _profile_of
from exporters.cli import main
from exporters.conversion.errors import NoAcceleratorError
from exporters.conversion.tensorrt.profiles import text_profiles
from exporters.errors import MissingRequirementError
from exporters.publishing.errors import ParityError
from exporters.publishing.stage import Graphs, convert
from exporters.recipe import load_recipe
from exporters.repository.native_target import Precision, native_target
from exporters.training import TrainedVariant, train
from exporters.workspace import Workspace
from gateway.contract.manifest import ModalitySet
from tests.small_variant import write_small_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.accelerators.runtimes import Run
    from exporters.conversion.tensorrt.profiles import Profile


CPU = OnnxRuntime("CPUExecutionProvider")
TARGET = native_target("gpu", Precision.FP32)


class Wrong:
    """A device that gets one kind of graph wrong."""

    def open(self, graph: Path, profiles: Sequence[Profile]) -> Run:
        right = CPU.open(graph, profiles)

        def negate(feeds: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], ...]:
            return tuple(-output for output in right(feeds))

        return negate if graph.stem == "image" else right


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proof")
    write_small_recipe(folder / "recipe")
    return folder


@pytest.fixture(scope="module")
def variant(folder: Path) -> TrainedVariant:
    recipe = load_recipe(str(folder / "recipe" / "shapes.toml"))
    return train(recipe, Workspace(folder / "workspace"))


@pytest.fixture(scope="module")
def graphs(variant: TrainedVariant, folder: Path) -> Graphs:
    (folder / "graphs").mkdir()
    return convert(variant, folder / "graphs")


def driver_of(names: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Puts a driver's tool on the path that lists these GPUs."""
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{names}'\n", encoding="utf-8")
    tool.chmod(0o755)
    patch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_prove_on_right_device_passes_and_measures_every_batch_size(
    variant: TrainedVariant, graphs: Graphs
) -> None:
    proof = prove_on(CPU, variant, graphs, TARGET, samples=16, measured_s=0.05)

    assert set(proof.parity) == set(ModalitySet)
    assert all(parity.has_passed and parity.samples == 16 for parity in proof.parity.values())
    for encoder in ("image", "text"):
        assert list(proof.rows_per_s[encoder]) == [1, 8, 32]
        assert min(proof.rows_per_s[encoder].values()) > 0


def test_prove_on_device_with_a_wrong_graph_fails_where_it_is_used(
    variant: TrainedVariant, graphs: Graphs
) -> None:
    proof = prove_on(Wrong(), variant, graphs, TARGET, samples=16, measured_s=0.01)

    assert {name for name, parity in proof.parity.items() if parity.has_passed} == {
        ModalitySet.TEXT
    }


def test_prove_on_right_device_passes_for_a_head_over_sequences(tmp_path: Path) -> None:
    file = write_small_recipe(tmp_path / "recipe", head="cross_attention", examples=120)
    variant = train(load_recipe(str(file)), Workspace(tmp_path / "workspace"))
    graphs = convert(variant, tmp_path)

    right, wrong = (
        prove_on(device, variant, graphs, TARGET, samples=16, measured_s=0.01)
        for device in (CPU, Wrong())
    )

    assert all(parity.has_passed for parity in right.parity.values())
    assert not wrong.parity[ModalitySet.BOTH].has_passed


def test_prove_targets_that_differ_write_their_table_and_fail(
    variant: TrainedVariant, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_of("NVIDIA H100 80GB HBM3, 512\\n", tmp_path, monkeypatch)
    monkeypatch.setattr(run, "_runtime", lambda target, scratch: Wrong())
    monkeypatch.setattr(run, "prove_on", partial(prove_on, samples=16, measured_s=0.01))
    workspace = Workspace(folder / "workspace")

    with pytest.raises(ParityError) as raised:
        run.prove_targets(variant.recipe, workspace, [TARGET], None, tmp_path / "out")

    assert raised.value.report == tmp_path / "out" / "nvidia-h100-80gb-hbm3.md"
    table = raised.value.report.read_text(encoding="utf-8")
    assert "on NVIDIA H100 80GB HBM3" in table
    assert "| gpu | fp32 | text |" in table


def test_find_gpu_reads_name_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver_of("NVIDIA A10G, 1024\\nNVIDIA A10G, 3\\n", tmp_path, monkeypatch)

    assert find_gpu("A test").name == "NVIDIA A10G"
    assert find_gpu("A test").used_mib == 1024


@pytest.mark.parametrize("names", ["", "No devices were found\\n"])
def test_find_gpu_without_a_device_says_so(
    names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver_of(names, tmp_path, monkeypatch)

    with pytest.raises(NoAcceleratorError, match=r"A test needs a CUDA GPU.*lists none"):
        find_gpu("A test")


def test_prove_command_without_a_gpu_says_so_and_trains_nothing(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = str(folder / "recipe" / "shapes.toml")
    words = ["exporters", "prove", recipe, "--target", "tensorrt", "--workspace", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SystemExit) as ending:
        main()

    assert ending.value.code == 2
    assert "needs a CUDA GPU, and there is none" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_cuda_provider_that_onnxruntime_lacks_is_named_with_the_package_that_has_it(
    graphs: Graphs,
) -> None:
    with pytest.raises(MissingRequirementError) as raised:
        OnnxRuntime("NoSuchExecutionProvider").open(graphs.text, ())

    assert "onnxruntime-gpu==" in raised.value.remedy


def test_profile_of_is_the_bucket_that_holds_the_batch() -> None:
    profiles = text_profiles((16, 32, 64), 8)

    assert _profile_of(profiles, {"input_ids": (8, 32), "attention_mask": (8, 32)}) == 1
    with pytest.raises(ValueError, match="no profile"):
        _profile_of(profiles, {"input_ids": (9, 32), "attention_mask": (9, 32)})
