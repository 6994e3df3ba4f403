"""What the frozen start was right about: kept beside the tuned head, for the paired comparison."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from exporters.data import group_examples
from exporters.training.logits import logits_of
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.training.variant import TrainedVariant

_FILE: Final = "frozen.json"


@dataclass(frozen=True)
class FrozenBaseline:
    """The frozen variant on the held-out examples, in their order.

    Attributes:
        is_right: whether each example's label was found, by set of modalities.
        groups: group of each example: near twins and equal texts are right or wrong together.
    """

    is_right: dict[ModalitySet, list[bool]]
    groups: list[int]


def frozen_baseline(variant: TrainedVariant) -> FrozenBaseline:
    """Measures a frozen variant, example by example."""
    rows = torch.from_numpy(variant.split.holdout)
    truth = torch.from_numpy(variant.table.label_indices)[rows]
    features = variant.features.take(rows)
    groups = group_examples(
        variant.table.examples, variant.features.image.numpy(), variant.recipe.data.twin_cosine
    )
    return FrozenBaseline(
        is_right={
            each: (logits_of(variant.head, features, each).argmax(dim=-1) == truth).tolist()
            for each in ModalitySet
        },
        groups=np.asarray(groups)[variant.split.holdout].tolist(),
    )


def write_baseline(baseline: FrozenBaseline, folder: Path) -> None:
    """Leaves the baseline in a run folder that is being written."""
    (folder / _FILE).write_text(json.dumps(asdict(baseline)) + "\n", encoding="utf-8")


def read_baseline(run_folder: Path) -> FrozenBaseline | None:
    """Reads what `write_baseline` left; None for a variant that is frozen itself."""
    file = run_folder / _FILE
    if not file.is_file():
        return None
    fields = json.loads(file.read_text(encoding="utf-8"))
    is_right = {ModalitySet(name): right for name, right in fields["is_right"].items()}
    return FrozenBaseline(is_right, fields["groups"])
