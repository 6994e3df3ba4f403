"""Magnitude pruning: the smallest weights become zero; tensors keep their shape.

Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks". Dense
kernels gain nothing from zeros: what shrinks is the compressed file, and the report says so.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from torch import nn
from torch.nn.utils import prune

from exporters.compression.method import ModuleMethod, Notes, Setting
from exporters.compression.recovery import Lesson, recover
from exporters.compression.used_layers import used_layers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporters.compression.encoder_side import EncoderSide


def _change(module: nn.Module, side: EncoderSide, settings: Mapping[str, float]) -> Notes:
    used = used_layers(module, side, (nn.Linear, nn.Conv2d)).values()
    layers = [each for each in used if isinstance(each, nn.Linear | nn.Conv2d)]
    before = _packed_bytes(layers)
    for layer in layers:
        prune.l1_unstructured(layer, "weight", 1 - settings["keep"])  # type: ignore[no-untyped-call]
    # The masks hold while it trains: gradients of what was pruned are masked too.
    recovery = recover(module, side, Lesson(int(settings["epochs"])))
    for layer in layers:
        prune.remove(layer, "weight")  # type: ignore[no-untyped-call]
    zeros = sum(int((layer.weight == 0).sum()) for layer in layers)
    ratio = zeros / sum(layer.weight.numel() for layer in layers)
    return Notes(
        (
            f"{ratio:.0%} of the weights of {len(layers)} layers are zero. Dense kernels take as "
            f"long as before; packed by zlib the weights are "
            f"{_packed_bytes(layers) / before:.0%} of what they were.",
            str(recovery),
        ),
        {"zero_ratio": ratio},
    )


def _packed_bytes(layers: Iterable[nn.Linear | nn.Conv2d]) -> int:
    return sum(
        len(zlib.compress(layer.weight.detach().numpy().tobytes(), level=1)) for layer in layers
    )


METHOD: Final = ModuleMethod(
    name="prune-weights",
    summary="the smallest weights become zero: a smaller download, the same speed",
    settings={
        "keep": Setting(0.8, 0.05, 1.0, "share of the weights that stay"),
        "epochs": Setting(2, 0, 100, "of recovery training", is_whole=True),
    },
    change=_change,
)
