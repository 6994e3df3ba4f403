"""What a fine-tuning needs to go on as if it had never stopped: a folder of tensors and numbers.

Random numbers are no part of it: each step draws from a seed of its own, made of the recipe's seed
and the step's number, and each epoch's order likewise. So the step's number says where the sampler,
the schedule and all generators stand. Tensors are safetensors and numbers JSON: no code is read.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from safetensors.torch import load_file, save_file

from exporters.atomic import atomic_folder
from exporters.training.fit import Epoch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch
    from torch import Tensor

_TENSORS: Final = "tensors.safetensors"
_NUMBERS: Final = "progress.json"


@dataclass(frozen=True)
class Progress:
    """How far a fine-tuning is, apart from its tensors.

    Attributes:
        step: optimiser steps that were made.
        loss_sum: training loss of the epoch in hand, summed over its examples.
        epochs: those that ended; the first is the frozen start.
        best_epoch: position in `epochs` of the smallest validation loss.
        scaler: state of the loss scaling of fp16; empty for other precisions.
    """

    step: int
    loss_sum: float
    epochs: tuple[Epoch, ...]
    best_epoch: int
    scaler: dict[str, Any]


def save_checkpoint(
    folder: Path,
    progress: Progress,
    trained: Mapping[str, Tensor],
    best: Mapping[str, Tensor],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Writes a checkpoint; the folder holds the old one whole, or the new one whole."""
    tensors = {f"trained.{name}": tensor for name, tensor in trained.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": tensor for name, tensor in state.items()}
    with atomic_folder(folder) as unfinished:
        save_file(
            {key: each.detach().contiguous() for key, each in tensors.items()},
            unfinished / _TENSORS,
        )
        text = json.dumps(asdict(progress), indent=2)
        (unfinished / _NUMBERS).write_text(text + "\n", encoding="utf-8")


def load_checkpoint(
    folder: Path, trained: Mapping[str, Tensor], optimiser: torch.optim.Optimizer
) -> tuple[Progress, dict[str, Tensor]] | None:
    """Reads a checkpoint into the tensors that are trained and into their optimiser.

    Returns:
        The progress and the tensors of the best epoch; None where there is no checkpoint.
    """
    if not (folder / _NUMBERS).is_file():
        return None
    fields = json.loads((folder / _NUMBERS).read_text(encoding="utf-8"))
    epochs = tuple(Epoch(**epoch) for epoch in fields.pop("epochs"))
    tensors = load_file(folder / _TENSORS)
    for name, tensor in trained.items():
        tensor.detach().copy_(tensors[f"trained.{name}"])
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        kind, _, rest = key.partition(".")
        if kind == "optimiser":
            index, _, name = rest.partition(".")
            state.setdefault(int(index), {})[name] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    best = {
        key.removeprefix("best."): tensor for key, tensor in tensors.items() if key[:5] == "best."
    }
    return Progress(epochs=epochs, **fields), best
