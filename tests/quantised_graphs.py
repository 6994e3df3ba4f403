"""Q/DQ graphs as TensorRT takes them: int8, symmetric, biases left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class _Rows(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime carries no types
    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = iter(rows)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._rows, None)


def quantise(
    source: Path, target: Path, rows: Sequence[dict[str, Any]], *, is_symmetric: bool = True
) -> Path:
    """Quantises convolutions and matrix products by what they see of some rows."""
    target.parent.mkdir(parents=True, exist_ok=True)
    quantize_static(
        source,
        target,
        _Rows(rows),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "MatMul", "Gemm"],
        per_channel=True,
        activation_type=QuantType.QInt8 if is_symmetric else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": is_symmetric, "QuantizeBias": not is_symmetric},
    )
    return target
