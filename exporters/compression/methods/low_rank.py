"""Low rank: a linear layer as two thinner ones, by singular value decomposition.

Eckart and Young 1936: the truncated decomposition is the nearest matrix of its rank. A layer whose
two parts would hold as many weights as before stays whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from exporters.compression.errors import InvalidStepError
from exporters.compression.method import ModuleMethod, Notes, Setting
from exporters.compression.recovery import Lesson, recover
from exporters.compression.used_layers import used_layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporters.compression.encoder_side import EncoderSide


def _change(module: nn.Module, side: EncoderSide, settings: Mapping[str, float]) -> Notes:
    layers = used_layers(module, side, (nn.Linear,))
    ranks: dict[str, int] = {}
    before = after = 0
    for name, layer in layers.items():
        factors = _factorise(layer, settings)
        before += layer.weight.numel()
        after += layer.weight.numel()
        if factors is not None:
            parent, _, child = name.rpartition(".")
            setattr(module.get_submodule(parent), child, nn.Sequential(*factors))
            first, second = factors
            ranks[name] = first.out_features
            after += first.weight.numel() + second.weight.numel() - layer.weight.numel()
    if not ranks:
        reason = (
            f"none of the {side.side} encoder's {len(layers)} linear layers becomes smaller by it"
        )
        raise InvalidStepError("low-rank", reason, "Lower energy or rank, or name the other side.")
    recovery = recover(module, side, Lesson(int(settings["epochs"])))
    return Notes(
        (
            f"{len(ranks)} of {len(layers)} linear layers in two parts, ranks "
            f"{min(ranks.values())} to {max(ranks.values())}; {after / before:.0%} of their "
            "weights are left.",
            str(recovery),
        ),
        {"ranks": ranks, "weights_left_ratio": after / before},
    )


def _factorise(
    layer: nn.Linear, settings: Mapping[str, float]
) -> tuple[nn.Linear, nn.Linear] | None:
    """Returns two layers for one, or None when they would not be smaller."""
    weight = layer.weight.detach().double()  # (out, in)
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    rank = int(settings["rank"])
    if rank == 0:
        energy = values.square().cumsum(0) / values.square().sum()
        rank = int((energy < settings["energy"]).sum()) + 1
    if rank * sum(weight.shape) >= weight.numel():
        return None
    first = nn.Linear(layer.in_features, rank, bias=False)
    second = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
    roots = values[:rank].sqrt()
    first.weight.data = (roots[:, None] * right[:rank]).float()
    second.weight.data = (left[:, :rank] * roots).float()
    if layer.bias is not None:
        second.bias.data = layer.bias.detach().clone()
    return first, second


METHOD: Final = ModuleMethod(
    name="low-rank",
    summary="linear layers in two thinner ones, by singular value decomposition",
    settings={
        "energy": Setting(0.8, 0.05, 1.0, "share of the squared singular values that is kept"),
        "rank": Setting(0, 0, 8192, "rank of every layer; 0: by energy", is_whole=True),
        "epochs": Setting(2, 0, 100, "of recovery training", is_whole=True),
    },
    change=_change,
)
