from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from exporters.conversion.errors import GraphToleranceError
from exporters.conversion.onnx_export import GraphSignature, export_graph

if TYPE_CHECKING:
    from pathlib import Path

SIGNATURE = GraphSignature(inputs={"x": {0: "batch"}}, outputs={"y": {0: "batch"}})


class FrozenBatch(nn.Module):
    """Bakes the traced batch size into the graph, as careless model code does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = int(x.shape[0])
        return x.sum(dim=1) / rows


def test_export_graph_names_its_tensors_and_dynamic_axes(tmp_path: Path) -> None:
    path = tmp_path / "linear.onnx"
    module = nn.Linear(4, 3).eval()

    export_graph(module, SIGNATURE, (torch.randn(2, 4),), (torch.randn(5, 4),), path)

    graph = onnx.load(path).graph
    assert [entry.name for entry in graph.input] == ["x"]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    rows = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    (served,) = onnxruntime.InferenceSession(path).run(None, {"x": rows})
    with torch.inference_mode():
        expected = module(torch.from_numpy(rows)).numpy()
    # The same fp32 products, summed in another order.
    np.testing.assert_allclose(served, expected, atol=1e-6)


def test_export_graph_with_a_frozen_batch_size_fails(tmp_path: Path) -> None:
    with pytest.raises(GraphToleranceError) as caught:
        export_graph(
            FrozenBatch(), SIGNATURE, (torch.ones(2, 4),), (torch.ones(5, 4),), tmp_path / "g.onnx"
        )

    assert caught.value.max_abs_difference > caught.value.tolerance
