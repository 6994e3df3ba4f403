"""The layers of a module that its features come from.

Checkpoints carry layers that no feature passes, such as a classifier: changing them would be
counted as a gain, and is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from torch import nn

    from exporters.compression.encoder_side import EncoderSide

Layer = TypeVar("Layer", bound="nn.Module")


def used_layers(
    module: nn.Module, side: EncoderSide, kinds: tuple[type[Layer], ...]
) -> dict[str, Layer]:
    """Returns layers of some kinds that one training example passes, by name."""
    called: set[nn.Module] = set()
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, kinds)}

    def note(layer: nn.Module, _inputs: object, _output: object) -> None:
        called.add(layer)

    hooks = [layer.register_forward_hook(note) for layer in layers.values()]
    try:
        with torch.no_grad():
            module(*side.tensors(side.calibration_rows(1)))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: layer for name, layer in layers.items() if layer in called}
