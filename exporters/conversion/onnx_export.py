"""A torch module to an ONNX file, proved equal on inputs of another size than it was traced with.

What the encoders and heads need to say (names and dynamic axes of their tensors, and examples) is
data: a `GraphSignature`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import onnxruntime
import torch

from exporters.conversion.errors import GraphSignatureError, GraphToleranceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

OPSET: Final = 17

# The same fp32 arithmetic in another order: errors grow with depth and magnitude, and stay far
# below what could move a probability by the parity proof's 1e-3.
_RELATIVE_TOLERANCE: Final = 1e-4


@dataclass(frozen=True)
class GraphSignature:
    """Names and dynamic axes of a graph's tensors.

    Attributes:
        inputs: input name to its axes' names, for those axes that vary; in the module's order.
        outputs: the same of the outputs.
    """

    inputs: Mapping[str, Mapping[int, str]]
    outputs: Mapping[str, Mapping[int, str]]


def export_graph(
    module: nn.Module,
    signature: GraphSignature,
    traced_with: tuple[torch.Tensor, ...],
    proved_with: tuple[torch.Tensor, ...],
    path: Path,
) -> None:
    """Writes a module as ONNX and compares the two.

    Args:
        module: in evaluation mode, on the CPU, fp32; gives one tensor, or a tuple of several.
        signature: what the graph's tensors are called.
        traced_with: one tensor an input; their varying axes may have any size.
        proved_with: the same with other sizes, to catch a size that was frozen into the graph.
        path: the file to write.

    Raises:
        GraphSignatureError: the graph has other inputs or outputs.
        GraphToleranceError: the graph's numbers differ.
    """
    with warnings.catch_warnings():
        # torch 2.13 advises against the TorchScript exporter; the graphs it writes for these
        # encoders are the ones whose parity and speed were measured (exporters/DECISIONS.md, 4).
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            traced_with,
            str(path),
            input_names=list(signature.inputs),
            output_names=list(signature.outputs),
            dynamic_axes={
                name: dict(axes) for name, axes in {**signature.inputs, **signature.outputs}.items()
            },
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(str(path))
    _prove(module, signature, proved_with, path)


def _prove(
    module: nn.Module, signature: GraphSignature, inputs: tuple[torch.Tensor, ...], path: Path
) -> None:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    actual = tuple(
        [entry.name for entry in entries]
        for entries in (session.get_inputs(), session.get_outputs())
    )
    expected = (list(signature.inputs), list(signature.outputs))
    if actual != expected:
        raise GraphSignatureError(path.name, str(expected), str(actual))
    feeds = {name: tensor.numpy() for name, tensor in zip(signature.inputs, inputs, strict=True)}
    with torch.inference_mode():
        given = module(*inputs)
    references = [given] if isinstance(given, torch.Tensor) else list(given)
    for served, tensor in zip(session.run(None, feeds), references, strict=True):
        _compare(served, tensor.numpy(), path)


def _compare(served: NDArray[Any], reference: NDArray[Any], path: Path) -> None:
    if served.shape != reference.shape:
        raise GraphSignatureError(path.name, str(reference.shape), str(served.shape))
    difference = float(np.abs(served - reference).max())
    tolerance = _RELATIVE_TOLERANCE * max(1.0, float(np.abs(reference).max()))
    if not difference <= tolerance:  # a NaN must fail too
        raise GraphToleranceError(path.name, difference, tolerance)
