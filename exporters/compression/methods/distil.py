"""Distillation: a smaller student learns what the original answers, features and logits.

The student begins as a copy of the original with fewer transformer layers, evenly spaced (Sanh et
al. 2019, "DistilBERT"), or, where there are none, with fewer channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch import nn

from exporters.compression.errors import InvalidStepError
from exporters.compression.method import ModuleMethod, Notes, Setting
from exporters.compression.methods.structure.narrowing import narrow
from exporters.compression.recovery import Lesson, recover

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporters.compression.encoder_side import EncoderSide


def _change(module: nn.Module, side: EncoderSide, settings: Mapping[str, float]) -> Notes:
    lesson = Lesson(int(settings["epochs"]), settings["temperature"], settings["labels"])
    before = sum(each.numel() for each in module.parameters())
    stack = _layer_stack(module)
    if stack is not None:
        kept = _spaced(len(stack), settings["keep"])
        what = f"{len(kept)} of {len(stack)} transformer layers"
        removed = [index for index in range(len(stack)) if index not in kept]
        for index in reversed(removed):
            del stack[index]
    else:
        narrowed = narrow(module, side, settings["keep"])
        what = f"{narrowed.kept} of {narrowed.units} inner channels"
    recovery = recover(module, side, lesson)
    after = sum(each.numel() for each in module.parameters())
    return Notes(
        (
            f"A student with {what}, {after / before:.0%} of the weights, taught features and "
            f"answers at temperature {settings['temperature']:g} on the training split"
            f"{', labels too' if settings['labels'] else ', without labels'}.",
            str(recovery),
        ),
        {"weights_left_ratio": after / before},
    )


def _layer_stack(module: nn.Module) -> nn.ModuleList | None:
    """The transformer's layers: the longest list of like modules that have attention."""
    stacks = [
        each
        for each in module.modules()
        if isinstance(each, nn.ModuleList)
        and len({type(layer) for layer in each}) == 1
        and any("attention" in name or "attn" in name for name, _ in each[0].named_modules())
    ]
    return max(stacks, key=len, default=None)


def _spaced(layers: int, keep: float) -> list[int]:
    """Indexes of the layers that stay: the first, the last, and others evenly between."""
    count = max(1, round(layers * keep))
    if count == layers:
        reason = f"keeping {keep:g} of {layers} layers removes none"
        raise InvalidStepError("distil", reason, "Lower keep.")
    if count == 1:
        return [layers - 1]
    return [round(index * (layers - 1) / (count - 1)) for index in range(count)]


METHOD: Final = ModuleMethod(
    name="distil",
    summary="a student with fewer layers or channels, taught the original's features and answers",
    settings={
        "keep": Setting(0.67, 0.05, 0.95, "share of layers, or of channels where there are none"),
        "epochs": Setting(4, 1, 200, "of training", is_whole=True),
        "temperature": Setting(2.0, 0.1, 20.0, "that softens the answers"),
        "labels": Setting(0.0, 0.0, 10.0, "weight of true labels; 0: unlabelled pairs do"),
    },
    change=_change,
)
