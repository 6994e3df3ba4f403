"""What sets the native targets `cpu` and `gpu` apart: one typed description each.

A native target's graphs are run by Triton's own onnxruntime backend; see `native_models`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class NativeTarget:
    """Where native graphs run, and how.

    Attributes:
        name: what `exporters export --target` calls it.
        device: what the manifest promises; readiness compares it with what serves.
        kind: Triton's instance kind. KIND_AUTO is decided when a model loads.
        precision: of the encoders' graphs. The head stays fp32: it is small, and the last to round.
        image_batch, text_batch, head_batch: rows of one execution.
        encoder_instances: sessions of each encoder; None: as many as the recipe's target says.
    """

    name: Literal["cpu", "gpu"]
    device: Literal["cpu", "gpu"]
    kind: Literal["KIND_CPU", "KIND_AUTO"]
    precision: Literal["fp32", "fp16"]
    image_batch: int
    text_batch: int
    head_batch: int
    encoder_instances: int | None

    @property
    def ensemble_batch(self) -> int:
        """Rows of a request, at most: no step may take fewer."""
        return min(self.image_batch, self.text_batch, self.head_batch)

    @property
    def parameters(self) -> dict[str, str]:
        """What the onnxruntime backend reads.

        Left alone, each session takes every core. One thread a session, and as many sessions as
        cores, is what served most on the CPU (exporters/DECISIONS.md, 1); on a GPU the thread only
        hands on the work, and should the GPU be missing it must not starve the other models.
        """
        return {"intra_op_thread_count": "1", "inter_op_thread_count": "1"}


NATIVE_TARGETS: Final[dict[str, NativeTarget]] = {
    target.name: target
    for target in (
        NativeTarget(
            name="cpu",
            device="cpu",
            kind="KIND_CPU",
            precision="fp32",
            image_batch=4,
            text_batch=16,
            head_batch=16,
            encoder_instances=None,
        ),
        NativeTarget(
            name="gpu",
            device="gpu",
            kind="KIND_AUTO",
            precision="fp16",
            image_batch=32,
            text_batch=64,
            head_batch=64,
            encoder_instances=1,
        ),
    )
}
