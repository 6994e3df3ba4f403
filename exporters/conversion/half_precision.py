"""An fp32 graph as fp16 inside, with the inputs and outputs that it had.

TensorRT 11 took away the FP16 builder flag: precision is in the graph. Such a graph runs on the
CUDA provider and on TensorRT 10 and 11 alike, and, slowly, on the CPU, where it is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import onnxruntime
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from exporters.conversion.errors import GraphSignatureError, GraphToleranceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# A half has 11 bits of significand, a rounding error of 5e-4, and a feature is the sum of many:
# 1.4e-3 of the largest feature was measured for MiniLM and 4.0e-3 for EfficientNet-Lite0. A
# conversion that went wrong (an overflow, a mask that no longer masks) is off by far more.
RELATIVE_TOLERANCE: Final = 2e-2


def write_half_precision(source: Path, target: Path, samples: Mapping[str, Any]) -> float:
    """Writes a graph in half precision and compares it with the original.

    Args:
        source: the fp32 graph.
        target: the file to write.
        samples: one array for each of the graph's inputs.

    Returns:
        The largest difference of an output, relative to the largest output.

    Raises:
        GraphSignatureError: the outputs have another type or shape.
        GraphToleranceError: the numbers differ by more than half precision explains.
    """
    half = OnnxModel(convert_float_to_float16(onnx.load(source), keep_io_types=True))
    half.topological_sort()  # the conversion of onnxruntime 1.31 puts the casts of inputs last
    onnx.save(half.model, target)
    onnx.checker.check_model(str(target))
    differences = []
    for reference, served in zip(
        *(_outputs(path, samples) for path in (source, target)), strict=True
    ):
        if (served.shape, served.dtype) != (reference.shape, reference.dtype):
            raise GraphSignatureError(
                target.name,
                f"{reference.dtype} {reference.shape}",
                f"{served.dtype} {served.shape}",
            )
        differences.append(float(np.abs(served - reference).max() / np.abs(reference).max()))
        if not differences[-1] <= RELATIVE_TOLERANCE:  # a NaN must fail too
            raise GraphToleranceError(target.name, differences[-1], RELATIVE_TOLERANCE)
    return max(differences)


def _outputs(graph: Path, samples: Mapping[str, Any]) -> list[Any]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    outputs: list[Any] = session.run(None, dict(samples))
    return outputs
