"""A trained variant, and its two files: `head.safetensors` and `training.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from exporters.atomic import atomic_folder
from exporters.data import Split
from exporters.heads import build_head, require_head
from exporters.tasks import TaskCalibration
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.data import Example, ExampleTable
    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.heads import FusionHead
    from exporters.recipe import Recipe
    from exporters.tasks import Task
    from exporters.training.features import Features
    from exporters.training.finetuning.files import FineTuningFiles
    from exporters.training.fit import FittedHead

_HEAD_FILE: Final = "head.safetensors"
_RECORD_FILE: Final = "training.json"


@dataclass(frozen=True)
class TrainingInputs:
    """All that a head is fitted from; features follow from it.

    Attributes:
        recipe: the recipe.
        table: the sound examples and the labels.
        text_encoder: the frozen text encoder.
        image_encoder: the frozen image encoder.
    """

    recipe: Recipe
    table: ExampleTable
    text_encoder: TextEncoder
    image_encoder: ImageEncoder

    @property
    def record(self) -> dict[str, Any]:
        """What a record of a training says of its inputs, as JSON."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "recipe_digest": self.recipe.recipe_digest,
            "data_digest": self.table.digest,
            "text_encoder": {"name": self.text_encoder.name, "digest": self.text_encoder.digest},
            "image_encoder": {"name": self.image_encoder.name, "digest": self.image_encoder.digest},
            "versions": {"torch": torch.__version__, "numpy": np.__version__},
        }


@dataclass(frozen=True)
class TrainedVariant:
    """A fitted and calibrated head, with all that it came from.

    Attributes:
        inputs: what it was fitted from.
        features: what the encoders say of the table's examples.
        head: the fusion head, in evaluation mode.
        calibrations: of each task, for each set of modalities.
        split: which examples it was fitted, stopped and measured on.
        run_folder: where its files and reports lie.
    """

    inputs: TrainingInputs
    features: Features
    head: FusionHead
    calibrations: dict[ModalitySet, tuple[TaskCalibration, ...]]
    split: Split
    run_folder: Path

    @property
    def recipe(self) -> Recipe:
        """The recipe."""
        return self.inputs.recipe

    @property
    def table(self) -> ExampleTable:
        """The sound examples and the labels."""
        return self.inputs.table

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is asked, in the order of the logits."""
        return self.inputs.table.tasks

    @property
    def has_sequences(self) -> bool:
        """Whether the head reads tokens and cells instead of pooled features."""
        return self.head.is_over_sequences

    @property
    def temperatures(self) -> dict[ModalitySet, float]:
        """Temperature of the first task, for each set of modalities."""
        return {modalities: each[0].temperature for modalities, each in self.calibrations.items()}

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of all tasks, in the order of the logits."""
        return self.inputs.table.labels

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
        """The examples that quality and parity are measured on."""
        return tuple(self.table.examples[position] for position in self.split.holdout)


def save_variant(
    fitted: FittedHead,
    calibrations: dict[ModalitySet, tuple[TaskCalibration, ...]],
    split: Split,
    inputs: TrainingInputs,
    run_folder: Path,
    fine_tuning: FineTuningFiles | None = None,
) -> None:
    """Writes the head and the record of its training; the folder appears whole or not at all.

    Args:
        fitted: the head.
        calibrations: of each task, for each set of modalities.
        split: which examples it was fitted, stopped and measured on.
        inputs: what it was fitted from.
        run_folder: where it goes.
        fine_tuning: what else a fine-tuned variant keeps.
    """
    record = {
        **inputs.record,
        "tasks": [asdict(task) for task in inputs.table.tasks],
        "calibrations": {
            modalities: [asdict(each) for each in of_tasks]
            for modalities, of_tasks in calibrations.items()
        },
        "best_epoch": fitted.best_epoch,
        "epochs": [asdict(epoch) for epoch in fitted.epochs],
        "split": {part: positions.tolist() for part, positions in vars(split).items()},
    }
    with atomic_folder(run_folder) as folder:
        save_file(fitted.head.state_dict(), folder / _HEAD_FILE)
        if fine_tuning is not None:
            fine_tuning.write(folder)
        text = json.dumps(record, indent=2, ensure_ascii=False)
        (folder / _RECORD_FILE).write_text(text + "\n", encoding="utf-8")


def is_saved(run_folder: Path) -> bool:
    """Whether `save_variant` has written there."""
    return (run_folder / _RECORD_FILE).is_file()


def read_variant(inputs: TrainingInputs, features: Features, run_folder: Path) -> TrainedVariant:
    """Reads what `save_variant` wrote."""
    record: dict[str, Any] = json.loads((run_folder / _RECORD_FILE).read_text(encoding="utf-8"))
    text, image = inputs.text_encoder, inputs.image_encoder
    is_over_sequences = require_head(inputs.recipe.head.type).is_over_sequences
    head = build_head(
        inputs.recipe.head,
        text_dim=text.token_dim if is_over_sequences else text.dim,
        image_dim=image.cell_dim if is_over_sequences else image.dim,
        tasks=inputs.table.tasks,
    )
    head.load_state_dict(load_file(run_folder / _HEAD_FILE))
    parts = {part: np.array(rows, dtype=np.int64) for part, rows in record["split"].items()}
    calibrations = {
        ModalitySet(name): tuple(
            TaskCalibration(each["temperature"], tuple(each["thresholds"])) for each in of_tasks
        )
        for name, of_tasks in record["calibrations"].items()
    }
    split = Split(**parts)
    return TrainedVariant(inputs, features, head.eval(), calibrations, split, run_folder)
