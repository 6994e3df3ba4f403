"""Structured pruning: heads, neurons and channels go, and tensors become smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporters.compression.method import ModuleMethod, Notes, Setting
from exporters.compression.methods.structure.narrowing import narrow
from exporters.compression.recovery import Lesson, recover

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from exporters.compression.encoder_side import EncoderSide


def _change(module: nn.Module, side: EncoderSide, settings: Mapping[str, float]) -> Notes:
    before = sum(each.numel() for each in module.parameters())
    narrowed = narrow(module, side, settings["keep"])
    recovery = recover(module, side, Lesson(int(settings["epochs"])))
    after = sum(each.numel() for each in module.parameters())
    return Notes(
        (
            f"{narrowed}; {after / before:.0%} of all weights are left.",
            str(recovery),
        ),
        {"weights_left_ratio": after / before},
    )


METHOD: Final = ModuleMethod(
    name="prune-structure",
    summary="attention heads, feed-forward neurons and channels go; tensors become smaller",
    settings={
        "keep": Setting(0.8, 0.05, 1.0, "share of heads, neurons or channels that stay"),
        "epochs": Setting(2, 0, 100, "of recovery training", is_whole=True),
    },
    change=_change,
)
