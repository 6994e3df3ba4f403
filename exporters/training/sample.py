"""Held-out examples to try the served model with: the launcher's first, and the page's gallery."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from exporters.atomic import atomic_folder
from exporters.tasks import decisions, slices_of, task_probabilities
from exporters.training.logits import logits_of
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from exporters.data import Example
    from exporters.training.variant import TrainedVariant
    from exporters.workspace import Workspace

_MOST_FURTHER: Final = 9  # as many as a person looks through


def write_sample(variant: TrainedVariant, workspace: Workspace) -> Path:
    """Writes `sample.json` (image, text, label, further examples) and the images beside it.

    Returns:
        The folder.
    """
    return save_sample(
        _surest_right_example(variant),
        workspace.sample_folder(variant.recipe.name),
        further=variant.holdout_examples,
    )


def save_sample(
    example: Example,
    folder: Path,
    labels: Sequence[str] = (),
    *,
    further: Iterable[Example] = (),
) -> Path:
    """Writes one example, and of others the first of each label, whatever is answered to them.

    Args:
        example: what is written.
        folder: appears whole or not at all.
        labels: what it is to be classified into, where the variant has no labels of its own.
        further: others; at most nine are written.

    Returns:
        The folder.
    """
    others = _first_of_each_label(further, example)[:_MOST_FURTHER]
    sample = {
        **_described(example),
        "labels": list(labels),
        "further": [_described(each) for each in others],
    }
    with atomic_folder(folder) as unfinished:
        for each in (example, *others):
            shutil.copyfile(each.image, unfinished / each.image.name)
        text = json.dumps(sample, indent=2, ensure_ascii=False)
        (unfinished / "sample.json").write_text(text + "\n", encoding="utf-8")
    return folder


def _described(example: Example) -> dict[str, str]:
    return {"image": example.image.name, "text": example.text, "label": example.label}


def _first_of_each_label(examples: Iterable[Example], but: Example) -> list[Example]:
    """Returns them with file names that differ from each other and from that of `but`."""
    found: dict[str, Example] = {}
    names = {but.image.name}
    for each in examples:
        if each.label and each.label not in found and each.image.name not in names:
            found[each.label] = each
            names.add(each.image.name)
    return list(found.values())


def _surest_right_example(variant: TrainedVariant) -> Example:
    """Returns the held-out example whose first task is answered rightly with the most confidence.

    When none is answered rightly, it is the first.
    """
    rows = torch.from_numpy(variant.split.holdout)
    logits = logits_of(variant.head, variant.features.take(rows), ModalitySet.BOTH).numpy()
    truth, place = variant.table.facts.take(variant.split.holdout), slices_of(variant.tasks)[0]
    task, calibration = variant.tasks[0], variant.calibrations[ModalitySet.BOTH][0]
    probabilities = task_probabilities(logits[:, place], task, calibration.temperature)
    decided = decisions(probabilities, task, calibration)
    has_label = truth.has_label[:, place]
    is_right = (decided == has_label).all(axis=1) & has_label.any(axis=1)
    # Of several labels the least sure of all decisions counts.
    sure = np.where(decided, probabilities, 1 - probabilities).min(axis=1)
    return variant.holdout_examples[int((sure * is_right).argmax())]
