"""A dual tower that is ready to be exported, and its two files in the run's folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from safetensors.torch import load_file, save_file

from exporters.alignment.classes import ClassSplit
from exporters.alignment.dual_checkpoint import CheckpointScoring, projections_of
from exporters.alignment.label_texts import embed_labels
from exporters.alignment.projections import untrained_projections
from exporters.alignment.scoring import Scoring
from exporters.atomic import atomic_folder
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from exporters.alignment.contrastive import AlignmentEpoch
    from exporters.alignment.projections import Projections
    from exporters.data import Example
    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.recipe import Recipe
    from exporters.recipe_sections import DualTowerRecipe
    from exporters.training import Features, TrainingInputs

_PROJECTIONS_FILE: Final = "projections.safetensors"
_RECORD_FILE: Final = "alignment.json"


@dataclass(frozen=True)
class AlignedTowers:
    """Two frozen encoders in one space, with all that it came from.

    Attributes:
        inputs: what it was made from.
        settings: the recipe's [dual_tower].
        features: what the encoders say of the table's examples.
        projections: into the space, in evaluation mode.
        scorings: how cosines become scores, for each set of modalities.
        split: which labels it was trained, calibrated and measured on.
        run_folder: where its files and reports lie.
    """

    inputs: TrainingInputs
    settings: DualTowerRecipe
    features: Features
    projections: Projections
    scorings: dict[ModalitySet, Scoring]
    split: ClassSplit
    run_folder: Path

    @property
    def recipe(self) -> Recipe:
        """The recipe."""
        return self.inputs.recipe

    @property
    def data_digest(self) -> str:
        """SHA-256 of images, texts, labels and groups."""
        return self.inputs.table.digest

    @property
    def text_encoder(self) -> TextEncoder:
        """The frozen text encoder."""
        return self.inputs.text_encoder

    @property
    def image_encoder(self) -> ImageEncoder:
        """The frozen image encoder."""
        return self.inputs.image_encoder

    @property
    def holdout_examples(self) -> tuple[Example, ...]:
        """The examples of labels that nothing was trained or calibrated on."""
        return tuple(self.inputs.table.examples[position] for position in self.split.holdout)

    @property
    def holdout_labels(self) -> tuple[str, ...]:
        """Those labels."""
        return tuple(self.inputs.table.labels[index] for index in self.split.holdout_labels)

    @property
    def embedding_dim(self) -> int:
        """Width of the space."""
        return self.label_directions(("a",)).shape[1]

    def label_directions(self, labels: Sequence[str]) -> Tensor:
        """Embeds labels within the recipe's prompts, float32 (labels, dim), of unit length."""
        return embed_labels(self.text_encoder, self.projections, labels, self.settings.templates)


def save_towers(towers: AlignedTowers, epochs: Sequence[AlignmentEpoch], best_epoch: int) -> None:
    """Writes projections and record; the folder appears whole or not at all."""
    inputs = towers.inputs
    record = {
        **inputs.record,
        "labels": inputs.table.labels,
        "scorings": {modalities: asdict(each) for modalities, each in towers.scorings.items()},
        "best_epoch": best_epoch,
        "epochs": [asdict(epoch) for epoch in epochs],
        "split": {part: positions.tolist() for part, positions in vars(towers.split).items()},
    }
    with atomic_folder(towers.run_folder) as folder:
        save_file(towers.projections.state_dict(), folder / _PROJECTIONS_FILE)
        text = json.dumps(record, indent=2, ensure_ascii=False)
        (folder / _RECORD_FILE).write_text(text + "\n", encoding="utf-8")


def is_saved(run_folder: Path) -> bool:
    """Whether `save_towers` has written there."""
    return (run_folder / _RECORD_FILE).is_file()


def read_towers(
    inputs: TrainingInputs, settings: DualTowerRecipe, features: Features, run_folder: Path
) -> AlignedTowers:
    """Reads what `save_towers` wrote."""
    record: dict[str, Any] = json.loads((run_folder / _RECORD_FILE).read_text(encoding="utf-8"))
    if settings.projection == "checkpoint":
        projections = projections_of(CheckpointScoring(1.0, None))
    else:
        projections = untrained_projections(
            inputs.text_encoder.dim, inputs.image_encoder.dim, settings.dim, settings.dropout
        )
    projections.load_state_dict(load_file(run_folder / _PROJECTIONS_FILE))
    parts = {part: np.array(rows, dtype=np.int64) for part, rows in record["split"].items()}
    scorings = {ModalitySet(name): Scoring(**each) for name, each in record["scorings"].items()}
    split = ClassSplit(**parts)
    return AlignedTowers(
        inputs, settings, features, projections.eval(), scorings, split, run_folder
    )
