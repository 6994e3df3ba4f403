"""Dynamic int8: weights in eight bits, activations scaled anew by what each batch holds.

It needs no calibration. The scale of a batch is that of its largest value, so the features of a
text change with the texts beside it: the run measures by how much.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from exporters.compression.method import GraphMethod, Notes
from exporters.compression.methods.int8.embedding_rows import store_rows_in_int8
from exporters.compression.methods.int8.quiet_quantiser import quietly

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporters.compression.encoder_side import EncoderSide


def _write(source: Path, target: Path, _side: EncoderSide, _settings: Mapping[str, float]) -> Notes:
    with tempfile.TemporaryDirectory(prefix="diptych-int8-") as scratch, quietly():
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(
            str(prepared),
            str(target),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
    store_rows_in_int8(target)
    return Notes(("Scales of activations follow each batch: features depend on batch mates.",))


METHOD: Final = GraphMethod(
    name="int8-dynamic",
    summary="dynamic int8: no calibration, but answers depend on what shares their batch",
    sides=("text",),
    precision="int8",
    write=_write,
)
