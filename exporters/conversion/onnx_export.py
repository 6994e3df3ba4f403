"""A torch module to an ONNX file, proved equal on inputs of another size than it was traced with.

What the encoders and heads need to say (names and dynamic axes of their tensors, and examples) is
data: a `GraphSignature`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
import onnxruntime
import torch

from exporters.conversion.errors import GraphSignatureError, GraphToleranceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
        output: name of the one output.
        output_axes: the output's varying axes.
    """

    inputs: Mapping[str, Mapping[int, str]]
    output: str
    output_axes: Mapping[int, str]


def export_graph(
    module: nn.Module,
    signature: GraphSignature,
    traced_with: tuple[torch.Tensor, ...],
    proved_with: tuple[torch.Tensor, ...],
    path: Path,
) -> None:
    """Writes a module as ONNX and compares the two.

    Args:
        module: in evaluation mode, on the CPU, fp32.
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
            output_names=[signature.output],
            dynamic_axes={
                **{name: dict(axes) for name, axes in signature.inputs.items()},
                signature.output: dict(signature.output_axes),
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
    actual = ([entry.name for entry in session.get_inputs()], session.get_outputs()[0].name)
    expected = (list(signature.inputs), signature.output)
    if actual != expected:
        raise GraphSignatureError(path.name, str(expected), str(actual))
    feeds = {name: tensor.numpy() for name, tensor in zip(signature.inputs, inputs, strict=True)}
    (served,) = session.run(None, feeds)
    with torch.inference_mode():
        reference = module(*inputs).numpy()
    if served.shape != reference.shape:
        raise GraphSignatureError(path.name, str(reference.shape), str(served.shape))
    difference = float(np.abs(served - reference).max())
    tolerance = _RELATIVE_TOLERANCE * max(1.0, float(np.abs(reference).max()))
    if not difference <= tolerance:  # a NaN must fail too
        raise GraphToleranceError(path.name, difference, tolerance)
