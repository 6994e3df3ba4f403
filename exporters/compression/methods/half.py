"""Half precision inside, float32 inputs and outputs: for GPUs; slow on a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporters.compression.method import GraphMethod, Notes
from exporters.conversion.half_precision import write_half_precision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporters.compression.encoder_side import EncoderSide

_SAMPLES: Final = 4


def _write(source: Path, target: Path, side: EncoderSide, _settings: Mapping[str, float]) -> Notes:
    samples = side.feeds(side.calibration_rows(_SAMPLES))
    difference = write_half_precision(source, target, samples)
    return Notes(
        (f"Features differ from fp32 by at most {difference:.1e} of the largest.",),
        {"relative_difference": difference},
    )


METHOD: Final = GraphMethod(
    name="fp16",
    summary="half precision inside, float32 inputs and outputs: half the size; meant for GPUs",
    precision="fp16",
    write=_write,
)
