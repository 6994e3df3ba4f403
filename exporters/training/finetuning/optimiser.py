"""Learning rates that fall with depth, and with the steps that are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from exporters.heads import FusionHead
    from exporters.recipe_sections import FineTuneRecipe
    from exporters.training.finetuning.layers import Unfrozen


def make_optimiser(
    head: FusionHead, unfrozen: Mapping[str, Unfrozen], settings: FineTuneRecipe
) -> torch.optim.AdamW:
    """AdamW over the head and the unfrozen layers.

    A layer learns at `learning_rate * layer_decay ** depth` (discriminative fine-tuning, Howard and
    Ruder 2018, "Universal Language Model Fine-tuning for Text Classification"): what is lower is
    more general and further from the labels. Biases and norms do not decay.
    """
    rates = [(parameter, settings.head_learning_rate) for parameter in head.parameters()]
    for part in unfrozen.values():
        for name, parameter in part.parameters.items():
            rate = settings.learning_rate * settings.layer_decay ** part.depths[name]
            rates.append((parameter, rate))
    # One group for all that learn alike: the optimiser takes a group's tensors at once.
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter, rate in rates:
        decay = settings.weight_decay if parameter.dim() > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "full_lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ]
    )


def set_learning_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Sets every group's rate to `factor` of its own."""
    for group in optimiser.param_groups:
        group["lr"] = group["full_lr"] * factor


def schedule(step: int, steps: int, warmup_ratio: float) -> float:
    """Share of the full learning rate at a step: linear warm-up, then linear to zero.

    Args:
        step: which step is about to be made, from 0.
        steps: of the whole training.
        warmup_ratio: share of the steps that the rate takes to rise.
    """
    warmup = max(1, round(steps * warmup_ratio))
    if step < warmup:
        return (step + 1) / warmup
    return (steps - step) / max(1, steps - warmup)
