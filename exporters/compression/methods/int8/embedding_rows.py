"""Embedding tables with int8 rows: half of a small text encoder is a table of words.

Each row keeps a scale of its own, so a word's vector is off by at most 1/254 of its largest value;
looking a row up and scaling it costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

_LEAST_ROWS: Final = 1024
"""Smaller tables (positions, token types) save nothing worth a node."""


def store_rows_in_int8(path: Path) -> int:
    """Rewrites the large embedding tables of a graph in place.

    Returns:
        How many there were.
    """
    model = onnx.load(path)
    graph = model.graph
    tables = {each.name: each for each in graph.initializer}
    rewritten = 0
    for index, node in reversed(list(enumerate(graph.node))):
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is not None and _is_large(table):
            replacement = _int8_lookup(graph, node, numpy_helper.to_array(table))
            graph.node.remove(node)
            for offset, new in enumerate(replacement):
                graph.node.insert(index + offset, new)
            rewritten += 1
    if rewritten:
        drop_unused_constants(graph)
        onnx.checker.check_model(model)
        onnx.save(model, path)
    return rewritten


def drop_unused_constants(graph: onnx.GraphProto) -> None:
    """Takes away initialisers that no node reads any more."""
    used = {name for node in graph.node for name in node.input}
    for constant in [each for each in graph.initializer if each.name not in used]:
        graph.initializer.remove(constant)


def _is_large(table: onnx.TensorProto) -> bool:
    is_matrix = len(table.dims) == 2 and table.data_type == onnx.TensorProto.FLOAT
    return is_matrix and table.dims[0] >= _LEAST_ROWS


def _int8_lookup(
    graph: onnx.GraphProto,
    node: onnx.NodeProto,
    table: np.ndarray,  # type: ignore[type-arg]
) -> list[onnx.NodeProto]:
    name, ids = node.input[0], node.input[1]
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / 127  # (rows, 1)
    rows = np.round(table / scales).astype(np.int8)  # (rows, dim)
    graph.initializer.append(numpy_helper.from_array(rows, f"{name}_int8"))
    graph.initializer.append(numpy_helper.from_array(scales.astype(np.float32), f"{name}_scales"))
    row, scale, wide = (f"{node.output[0]}_{part}" for part in ("row", "scale", "wide"))
    return [
        helper.make_node("Gather", [f"{name}_int8", ids], [row], f"{node.name}_rows", axis=0),
        helper.make_node("Gather", [f"{name}_scales", ids], [scale], f"{node.name}_scales", axis=0),
        helper.make_node("Cast", [row], [wide], f"{node.name}_cast", to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [wide, scale], [node.output[0]], f"{node.name}_scaled"),
    ]
