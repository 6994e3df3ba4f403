"""What sets the native targets `cpu`, `gpu` and `tensorrt` apart: one typed description each.

A native target's graphs are run by Triton's own onnxruntime or TensorRT backend; see
`native_models`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

from exporters.repository.encoder_serving import EncoderServing

if TYPE_CHECKING:
    from exporters.recipe_sections import TargetRecipe


class Precision(StrEnum):
    """In what an encoder's graph computes; int8 by the Q/DQ nodes in it."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


@dataclass(frozen=True)
class NativeTarget:
    """Where native graphs run, and how.

    Attributes:
        name: what `exporters export --target` calls it.
        device: what the manifest promises; readiness compares it with what serves.
        kind: Triton's instance kind. KIND_AUTO is decided when a model loads; KIND_GPU fails the
            load where there is no GPU, which is right for a plan: nothing else can run it.
        backend: what runs the graphs; for `tensorrt` they are plans.
        precision: of the encoders' graphs. The head stays fp32: it is small, and the last to round.
        image_batch, text_batch: rows of one execution, where `encoder_instances` says how many.
        head_batch: rows of one execution.
        encoder_instances: sessions of each encoder; None: they are served as the recipe says,
            batches, delays and threads included. It was tuned on a CPU.
    """

    name: Literal["cpu", "gpu", "tensorrt"]
    device: Literal["cpu", "gpu"]
    kind: Literal["KIND_CPU", "KIND_AUTO", "KIND_GPU"]
    backend: Literal["onnxruntime", "tensorrt"]
    precision: Precision
    image_batch: int
    text_batch: int
    head_batch: int
    encoder_instances: int | None

    def images_served(self, recipe: TargetRecipe) -> EncoderServing:
        """How the image encoder is served."""
        if self.encoder_instances is None:
            return EncoderServing.of_images(recipe)
        return EncoderServing(self.image_batch, 0, self.encoder_instances, threads=1)

    def texts_served(self, recipe: TargetRecipe) -> EncoderServing:
        """How the text encoder is served."""
        if self.encoder_instances is None:
            return EncoderServing.of_texts(recipe)
        return EncoderServing(self.text_batch, 0, self.encoder_instances, threads=1)

    def parameters(self, threads: int = 1) -> dict[str, str]:
        """What the onnxruntime backend reads; TensorRT's needs nothing said.

        Left alone, each session takes every core. One thread a session, and as many sessions as
        cores, is what served most on the CPU (exporters/DECISIONS.md, 1); on a GPU the thread only
        hands on the work, and should the GPU be missing it must not starve the other models.
        """
        if self.backend == "tensorrt":
            return {}
        return {"intra_op_thread_count": str(threads), "inter_op_thread_count": "1"}


NATIVE_TARGETS: Final[dict[str, NativeTarget]] = {
    target.name: target
    for target in (
        NativeTarget(
            name="cpu",
            device="cpu",
            kind="KIND_CPU",
            backend="onnxruntime",
            precision=Precision.FP32,
            image_batch=4,
            text_batch=16,
            head_batch=16,
            encoder_instances=None,
        ),
        NativeTarget(
            name="gpu",
            device="gpu",
            kind="KIND_AUTO",
            backend="onnxruntime",
            precision=Precision.FP16,
            image_batch=32,
            text_batch=64,
            head_batch=64,
            encoder_instances=1,
        ),
        NativeTarget(
            name="tensorrt",
            device="gpu",
            kind="KIND_GPU",
            backend="tensorrt",
            precision=Precision.FP16,
            image_batch=32,
            text_batch=64,
            head_batch=64,
            encoder_instances=1,
        ),
    )
}


def native_target(name: str, precision: Precision | None = None) -> NativeTarget:
    """The target of a name, in its own precision or another."""
    target = NATIVE_TARGETS[name]
    return target if precision is None else replace(target, precision=precision)
