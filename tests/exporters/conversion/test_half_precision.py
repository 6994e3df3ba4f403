from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from exporters.conversion.errors import GraphToleranceError
from exporters.conversion.half_precision import RELATIVE_TOLERANCE, write_half_precision
from exporters.conversion.onnx_export import GraphSignature, export_graph

if TYPE_CHECKING:
    from pathlib import Path

SIGNATURE = GraphSignature(inputs={"x": {0: "batch"}}, outputs={"y": {0: "batch"}})


class Vanishing(nn.Module):
    """Small numbers that count: a half holds none of them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * 1e-12).sum(dim=1, keepdim=True) * 1e12


def graph_of(module: nn.Module, path: Path) -> Path:
    export_graph(module.eval(), SIGNATURE, (torch.randn(2, 4),), (torch.randn(5, 4),), path)
    return path


def rows() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)


def test_write_half_precision_rounds_inside_and_keeps_its_signature(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = graph_of(nn.Sequential(nn.Linear(4, 64), nn.Linear(64, 3)), tmp_path / "fp32.onnx")
    target = tmp_path / "fp16.onnx"

    difference = write_half_precision(source, target, {"x": rows()})

    half = onnx.load(target).graph
    assert {each.data_type for each in half.initializer} == {onnx.TensorProto.FLOAT16}
    assert half.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert half.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert 0 < difference < RELATIVE_TOLERANCE
    assert target.stat().st_size < 0.7 * source.stat().st_size


def test_write_half_precision_of_what_a_half_cannot_hold_is_refused(tmp_path: Path) -> None:
    source = graph_of(Vanishing(), tmp_path / "fp32.onnx")

    with pytest.raises(GraphToleranceError):
        write_half_precision(source, tmp_path / "fp16.onnx", {"x": rows()})
