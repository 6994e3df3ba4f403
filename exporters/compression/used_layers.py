"""The layers of a module that its features, or the sequences that a head reads, come from.

Checkpoints carry layers that neither passes, such as a classifier: changing them would be counted
as a gain, and is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import torch

if TYPE_CHECKING:
    from torch import nn

    from exporters.compression.encoder_side import EncoderSide

Layer = TypeVar("Layer", bound="nn.Module")


def used_layers(
    module: nn.Module, side: EncoderSide, kinds: tuple[type[Layer], ...]
) -> dict[str, Layer]:
    """Returns layers of some kinds on which what is said of one example depends, by name.

    Not those that merely run: a BERT computes its pooler's output whether or not it is taken.
    """
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, kinds)}
    weights = [cast("nn.Parameter", layer.weight) for layer in layers.values()]
    were_trained = [weight.requires_grad for weight in weights]
    try:
        for weight in weights:
            weight.requires_grad_(True)
        with torch.enable_grad():
            pooled, sequence = side.encode(module, side.calibration_rows(1))
            said = pooled.sum() + (0.0 if side.sequences is None else sequence.sum())
        if not said.requires_grad:  # a frozen network of other layers, and a classifier beside it
            return {}
        slopes = torch.autograd.grad(said, weights, allow_unused=True)
    finally:
        for weight, was_trained in zip(weights, were_trained, strict=True):
            weight.requires_grad_(was_trained)
    named = zip(layers.items(), slopes, strict=True)
    return {name: layer for (name, layer), slope in named if slope is not None}
