"""What the frozen start was right about: kept beside the tuned head, for the paired comparison."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from exporters.data import group_examples
from exporters.tasks import all_decisions, all_probabilities, rightness
from exporters.training.logits import logits_of
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.training.variant import TrainedVariant

_FILE: Final = "frozen.json"


@dataclass(frozen=True)
class FrozenBaseline:
    """The frozen variant on the held-out examples, in their order.

    Attributes:
        right: how right the answers to each example are, 0 to 1, by set of modalities; see
            `exporters.tasks.rightness`.
        groups: group of each example: near twins and equal texts are right or wrong together.
    """

    right: dict[ModalitySet, list[float]]
    groups: list[int]


def frozen_baseline(variant: TrainedVariant) -> FrozenBaseline:
    """Measures a frozen variant, example by example."""
    groups = group_examples(
        variant.table.examples, variant.features.image.numpy(), variant.recipe.data.twin_cosine
    )
    return FrozenBaseline(
        right={each: holdout_rightness(variant, each).tolist() for each in ModalitySet},
        groups=np.asarray(groups)[variant.split.holdout].tolist(),
    )


def holdout_rightness(variant: TrainedVariant, modalities: ModalitySet) -> NDArray[np.float64]:
    """Returns how right a variant's answers to the held-out examples are, shape (held-out,)."""
    features = variant.features.take(torch.from_numpy(variant.split.holdout))
    logits = logits_of(variant.head, features, modalities).numpy()
    calibrations = variant.calibrations[modalities]
    probabilities = all_probabilities(logits, variant.tasks, calibrations)
    decided = all_decisions(probabilities, variant.tasks, calibrations)
    return rightness(decided, variant.table.facts.take(variant.split.holdout))


def write_baseline(baseline: FrozenBaseline, folder: Path) -> None:
    """Leaves the baseline in a run folder that is being written."""
    (folder / _FILE).write_text(json.dumps(asdict(baseline)) + "\n", encoding="utf-8")


def read_baseline(run_folder: Path) -> FrozenBaseline | None:
    """Reads what `write_baseline` left; None for a variant that is frozen itself."""
    file = run_folder / _FILE
    if not file.is_file():
        return None
    fields = json.loads(file.read_text(encoding="utf-8"))
    right = {ModalitySet(name): each for name, each in fields["right"].items()}
    return FrozenBaseline(right, fields["groups"])
