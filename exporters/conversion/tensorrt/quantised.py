"""Can TensorRT take a Q/DQ graph? What it cannot take is told by node and reason, before parsing.

TensorRT quantises symmetrically to int8 and keeps biases as they are. onnxruntime's CPU kernels
like unsigned activations and int32 biases, so a graph that was quantised for the one may need to be
quantised again for the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import onnx
from onnx import numpy_helper

from exporters.conversion.errors import UnfitQuantisationError

if TYPE_CHECKING:
    from pathlib import Path

_QUANTISING: Final = ("QuantizeLinear", "DequantizeLinear")
_ZERO_POINT: Final = 2  # position among the inputs of both


def require_fit_quantisation(graph: Path) -> None:
    """Refuses quantisation that TensorRT does not take.

    Raises:
        UnfitQuantisationError: a zero point is not zero, or a type is not int8.
    """
    model = onnx.load(graph)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in _QUANTISING:
            continue
        if len(node.input) <= _ZERO_POINT:
            # What ONNX says where it is left out.
            zero_type, is_symmetric = onnx.TensorProto.UINT8, True
        else:
            zero_point: Any = constants.get(node.input[_ZERO_POINT])
            if zero_point is None:
                raise UnfitQuantisationError(graph.name, node.name, "its zero point is computed")
            zero_type = zero_point.data_type
            is_symmetric = not numpy_helper.to_array(zero_point).any()
        if zero_type != onnx.TensorProto.INT8:
            name = onnx.TensorProto.DataType.Name(zero_type).lower()
            raise UnfitQuantisationError(graph.name, node.name, f"it is {name}, not int8")
        if not is_symmetric:
            raise UnfitQuantisationError(graph.name, node.name, "its zero point is not 0")
