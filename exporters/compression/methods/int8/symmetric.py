"""Static int8 as TensorRT takes it: symmetric and signed, activations too, biases left alone.

What is quantised is the input of each layer with weights, which is where TensorRT looks for scales;
between them everything stays fp32. onnxruntime's CPU kernels fuse none of that and are slower than
in fp32: this is for `rehearse` and for the targets `gpu` and `tensorrt`, which take the graphs that
a run leaves in its folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onnxruntime.quantization import QuantType

from exporters.compression.method import GraphMethod, Notes
from exporters.compression.methods.int8.static import SETTINGS, Scheme, quantise

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import onnx

    from exporters.compression.encoder_side import EncoderSide

_LAYERS: Final = ("Conv", "Gemm", "MatMul")


def _write(source: Path, target: Path, side: EncoderSide, settings: Mapping[str, float]) -> Notes:
    return quantise(source, target, side, settings, Scheme(QuantType.QInt8, _policy))


def _policy(_graph: onnx.GraphProto) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    return _LAYERS, {
        "ActivationSymmetric": True,
        "QuantizeBias": False,
        # Before an activation function a layer's output reaches further than behind it.
        "OpTypesToExcludeOutputQuantization": list(_LAYERS),
    }


METHOD: Final = GraphMethod(
    name="int8-symmetric",
    summary="static int8 for GPUs: signed and symmetric, as TensorRT takes it; slower on a CPU",
    settings=SETTINGS,
    precision="int8",
    write=_write,
)
