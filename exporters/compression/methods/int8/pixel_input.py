"""Bytes as the quantised tensor that they are: no cast, no normalisation, no rounding.

A pixel is a byte. Where one mean (a whole number) and one deviation hold for all channels, the
normalised image in uint8 with scale 1/deviation and zero point mean is the image itself, so the
nodes between the input and the first convolution go. On the demo's encoder they cost a quarter of
the int8 graph's time, because onnxruntime normalises rows of three values one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import numpy_helper

from exporters.compression.methods.int8.embedding_rows import drop_unused_constants
from exporters.conversion.graphs import PIXELS

if TYPE_CHECKING:
    from pathlib import Path

_SCALE: Final = "pixel_scale"
_ZERO_POINT: Final = "pixel_zero_point"
_CHAIN: Final = ("Cast", "Transpose", "Sub", "Div", "QuantizeLinear", "DequantizeLinear")


def take_pixels_as_they_are(path: Path) -> bool:
    """Rewrites a quantised graph in place, where that is exact.

    Returns:
        Whether it was; a graph with another input or another normalisation is left alone.
    """
    model = onnx.load(path)
    graph = model.graph
    chain = _normalisation(graph)
    if chain is None:
        return False
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    mean = constants.get(chain["Sub"].input[1])
    deviation = constants.get(chain["Div"].input[1])
    if mean is None or deviation is None or not _is_exact(mean, deviation):
        return False
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(1 / deviation.flat[0], np.float32), _SCALE),
            numpy_helper.from_array(np.array(mean.flat[0], np.uint8), _ZERO_POINT),
        ]
    )
    chain["Transpose"].input[0] = PIXELS
    chain["DequantizeLinear"].input[:] = [chain["Transpose"].output[0], _SCALE, _ZERO_POINT]
    for op_type in ("Cast", "Sub", "Div", "QuantizeLinear"):
        graph.node.remove(chain[op_type])
    for stale in [each for each in graph.value_info if each.name in chain["Transpose"].output]:
        graph.value_info.remove(stale)  # it was float
    drop_unused_constants(graph)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return True


def _normalisation(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto] | None:
    """Finds the nodes from the pixels to the first real layer, by operator."""
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    name, found = PIXELS, {}
    for _ in _CHAIN:
        if len(users.get(name, [])) != 1:
            return None
        [node] = users[name]
        found[node.op_type] = node
        name = node.output[0]
    # The cast may stand before the transposition or behind it.
    is_known = list(found) in ([*_CHAIN], ["Transpose", "Cast", *_CHAIN[2:]])
    return found if is_known else None


def _is_exact(mean: np.ndarray, deviation: np.ndarray) -> bool:  # type: ignore[type-arg]
    centre = float(mean.flat[0])
    is_uniform = bool((mean == centre).all() and (deviation == deviation.flat[0]).all())
    return is_uniform and centre == int(centre) and 0 <= centre <= 255
