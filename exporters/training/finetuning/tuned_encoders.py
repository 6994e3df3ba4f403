"""Tuned weights over a checkpoint's own: an encoder of a digest of its own."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from exporters.digests import digest_of_json
from exporters.training.finetuning.batches import IMAGE, TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.training.variant import TrainingInputs

Encoder = TypeVar("Encoder", "TextEncoder", "ImageEncoder")


def with_tuned_weights(
    inputs: TrainingInputs, tuned: Mapping[str, Mapping[str, Tensor]]
) -> TrainingInputs:
    """Returns inputs with tuned encoders, each of a digest of its own.

    The modules are changed in place: whoever needs the frozen encoders has to load them again.
    """
    text, image = inputs.text_encoder, inputs.image_encoder
    if TEXT in tuned:
        text = _tuned(text, tuned[TEXT])
    if IMAGE in tuned:
        image = _tuned(image, tuned[IMAGE])
    return replace(inputs, text_encoder=text, image_encoder=image)


def _tuned(encoder: Encoder, tensors: Mapping[str, Tensor]) -> Encoder:
    parameters = dict(encoder.module.named_parameters())
    for name, tensor in tensors.items():
        parameters[name].detach().copy_(tensor)
    encoder.module.eval().requires_grad_(requires_grad=False)
    digest = digest_of_json([encoder.digest, "fine-tuned", _digest_of_tensors(tensors)])
    return replace(encoder, name=f"{encoder.name}, fine-tuned", digest=digest)


def _digest_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    sha = hashlib.sha256()
    for name in sorted(tensors):
        sha.update(f"{name}\0{tuple(tensors[name].shape)}\0".encode())
        sha.update(tensors[name].detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()
