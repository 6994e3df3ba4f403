"""The real builder and parser, of TensorRT for RTX, on small graphs and on the demo's encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from exporters.conversion.errors import EngineBuildError, UnfitQuantisationError
from exporters.conversion.graphs import export_image_encoder, export_text_encoder
from exporters.conversion.half_precision import write_half_precision
from exporters.conversion.onnx_export import GraphSignature, export_graph
from exporters.conversion.tensorrt.engine import build_engine
from exporters.conversion.tensorrt.library import find_rehearsal, find_tensorrt
from exporters.conversion.tensorrt.precisions import OTHERS, PRODUCTS
from exporters.conversion.tensorrt.profiles import (
    ShapeRange,
    head_profiles,
    image_profiles,
    text_profiles,
)
from exporters.encoders import load_image_encoder, load_text_encoder
from exporters.errors import MissingRequirementError
from exporters.recipe import load_recipe
from tests.quantised_graphs import quantise

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.conversion.tensorrt.engine import EngineReport
    from exporters.conversion.tensorrt.profiles import Profile

LIBRARY = find_rehearsal()
WIDTH = 16


class Smooth(nn.Module):
    """A product and something else."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.linear(x))


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("graph") / "smooth.onnx"
    signature = GraphSignature(inputs={"x": {0: "batch"}}, outputs={"y": {0: "batch"}})
    inputs = (torch.randn(2, WIDTH),), (torch.randn(5, WIDTH),)
    export_graph(Smooth().eval(), signature, *inputs, path)
    return path


def rows(count: int = 4) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(count, WIDTH)).astype(np.float32)


def build(graph: Path, plan: Path, profiles: tuple[Profile, ...] | None = None) -> EngineReport:
    return build_engine(graph, profiles or head_profiles({"x": (WIDTH,)}, 32), plan, LIBRARY)


def test_build_engine_of_fp32_and_fp16_types_every_layer_as_its_graph_does(
    graph: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half.onnx"
    write_half_precision(graph, half, {"x": rows()})

    full_report, half_report = build(graph, tmp_path / "a.plan"), build(half, tmp_path / "b.plan")

    assert full_report.layers[PRODUCTS] == {"fp32": 1}
    assert half_report.layers[PRODUCTS] == {"fp16": 1}
    assert "fp32" not in full_report.layers[OTHERS] or "fp16" not in full_report.layers[OTHERS]
    assert (tmp_path / "b.plan").stat().st_size == half_report.plan_bytes
    assert not half_report.is_read_back  # an engine is read where it can run


def test_build_engine_of_quantised_graph_computes_its_products_in_int8(
    graph: Path, tmp_path: Path
) -> None:
    quantised = quantise(graph, tmp_path / "int8.onnx", [{"x": rows()}])

    assert build(quantised, tmp_path / "int8.plan").layers[PRODUCTS] == {"int8": 1}


def test_build_engine_of_asymmetric_quantisation_names_the_node(
    graph: Path, tmp_path: Path
) -> None:
    quantised = quantise(graph, tmp_path / "u8.onnx", [{"x": rows()}], is_symmetric=False)

    with pytest.raises(UnfitQuantisationError, match=r"node '.*u?int\d+, not int8"):
        build(quantised, tmp_path / "u8.plan")

    assert not (tmp_path / "u8.plan").exists()


def test_build_engine_with_a_profile_that_does_not_fit_says_what_tensorrt_said(
    graph: Path, tmp_path: Path
) -> None:
    wrong = ({"x": ShapeRange((1, WIDTH + 1), (2, WIDTH + 1), (4, WIDTH + 1))},)

    with pytest.raises(EngineBuildError, match=r"building graph 'smooth.onnx'.*\w{10}"):
        build(graph, tmp_path / "wrong.plan", wrong)


def test_build_engine_of_what_tensorrt_does_not_parse_names_the_node_and_the_reason(
    tmp_path: Path,
) -> None:
    import onnx

    turn = onnx.helper.make_node("Transpose", ["x"], ["y"], name="turn", perm=[1, 0])
    graph = onnx.helper.make_graph(
        [turn],
        "bytes",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, ["batch", WIDTH])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.UINT8, [WIDTH, "batch"])],
    )
    path = tmp_path / "bytes.onnx"
    onnx.save(onnx.helper.make_model(graph), path)

    with pytest.raises(EngineBuildError, match=r"parsing graph 'bytes.onnx'.*turn.*UInt8"):
        build(path, tmp_path / "bytes.plan")


def test_build_engine_interrupted_while_it_builds_ends_and_writes_nothing(
    graph: Path, tmp_path: Path
) -> None:
    def interrupt(phase: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_engine(
            graph,
            head_profiles({"x": (WIDTH,)}, 32),
            tmp_path / "x.plan",
            LIBRARY,
            on_step=interrupt,
        )

    assert list(tmp_path.iterdir()) == []


def test_find_tensorrt_without_the_package_says_what_is_needed() -> None:
    with pytest.raises(MissingRequirementError, match="tensorrt") as raised:
        find_tensorrt()

    assert "GPU that will serve" in raised.value.remedy


def test_demo_image_encoder_builds_in_fp32_fp16_and_int8(tmp_path: Path) -> None:
    encoder = load_image_encoder(load_recipe("openmoji").image_encoder)
    size = encoder.preprocessing
    profiles = image_profiles(size.height, size.width, 32)
    noise = np.random.default_rng(0).integers(0, 256, (2, size.height, size.width, 3), np.uint8)
    source = tmp_path / "image.onnx"
    export_image_encoder(encoder, source)
    write_half_precision(source, tmp_path / "half.onnx", {"pixels": noise})
    quantise(source, tmp_path / "int8.onnx", [{"pixels": noise}])

    found = {
        precision: build(tmp_path / f"{name}.onnx", tmp_path / "x.plan", profiles).layers[PRODUCTS]
        for precision, name in (("fp32", "image"), ("fp16", "half"), ("int8", "int8"))
    }

    # EfficientNet-Lite0 has 49 convolutions.
    assert found == {each: {each: 49} for each in ("fp32", "fp16", "int8")}


def test_demo_text_encoder_builds_in_fp32_fp16_and_int8(tmp_path: Path) -> None:
    encoder = load_text_encoder(load_recipe("openmoji").text_encoder)
    ids, mask = encoder.tokenizer.encode_batch(["a short text", "a text of a few words more"])
    feeds = {"input_ids": ids, "attention_mask": mask}
    source = tmp_path / "text.onnx"
    export_text_encoder(encoder, source)
    write_half_precision(source, tmp_path / "half.onnx", feeds)
    quantise(source, tmp_path / "int8.onnx", [feeds])

    found = {
        precision: build(
            tmp_path / f"{name}.onnx", tmp_path / "x.plan", text_profiles((16, 64), 64)
        ).layers[PRODUCTS]
        for precision, name in (("fp32", "text"), ("fp16", "half"), ("int8", "int8"))
    }

    # MiniLM: 6 layers of 6 linear layers and 2 products of attention.
    assert found == {each: {each: 48} for each in ("fp32", "fp16", "int8")}
