"""Pairs without labels, for what an encoder learns from its original: distillation and recovery.

The teacher is the original, so a second table of images and texts teaches as well as the first. Its
pairs stand behind the labelled examples, in the training split alone, labelled in no task; what is
judged stays what it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from exporters.data import ExampleTable, group_examples
from exporters.data.errors import TableError
from exporters.data.reading import read_rows
from exporters.data.validation import Asked, sound_examples
from exporters.training import Features, load_features
from exporters.training.sequences import JoinedSequences, Sequences

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.data import Example
    from exporters.training import TrainedVariant
    from exporters.workspace import Workspace


def with_pairs(original: TrainedVariant, table: Path, workspace: Workspace) -> TrainedVariant:
    """Returns the variant with the pairs of a table behind its own training examples.

    A pair that shares its text or a near-twin image with a validation or held-out example is left
    out: a student that had seen its teacher's answer to that would be judged too well.

    Args:
        original: a trained variant; it stays as it is.
        table: CSV, JSONL or Parquet with the recipe's columns of images and texts.
        workspace: where features and broken rows are kept.

    Raises:
        TableError: the table cannot be read, or no pair is left.
        BrokenRowsError: more rows are broken than the recipe allows.
    """
    pairs = _read_pairs(original, table, workspace)
    together = ExampleTable((*original.table.examples, *pairs), original.tasks)
    features = _join(original, ExampleTable(pairs, original.tasks), workspace)
    groups = group_examples(
        together.examples, features.image.numpy(), original.recipe.data.twin_cosine
    )
    split = original.split
    judged = groups[np.concatenate([split.validation, split.holdout])]
    is_kept = ~np.isin(groups, judged)
    is_kept[: len(original.table)] = True
    kept = np.flatnonzero(is_kept)
    further = np.arange(len(original.table), len(kept))
    if not len(further):
        raise TableError(table, "every pair shares its text or a near-twin image with the judged")
    examples = tuple(together.examples[row] for row in kept)
    return replace(
        original,
        inputs=replace(original.inputs, table=ExampleTable(examples, original.tasks)),
        features=features.take(torch.from_numpy(kept)),
        split=replace(split, train=np.concatenate([split.train, further])),
    )


def _read_pairs(original: TrainedVariant, table: Path, workspace: Workspace) -> tuple[Example, ...]:
    recipe = original.recipe.data.model_copy(update={"group_column": None})
    rows = read_rows(table, [recipe.image_column, recipe.text_column])
    preprocessing = original.image_encoder.preprocessing
    found = sound_examples(rows, table, Asked(recipe, ()), preprocessing, workspace)
    nobody = (None,) * len(original.tasks)
    return tuple(replace(example, answers=nobody) for example in found)


def _join(original: TrainedVariant, pairs: ExampleTable, workspace: Workspace) -> Features:
    known = original.features
    further = load_features(
        pairs,
        original.text_encoder,
        original.image_encoder,
        workspace,
        has_sequences=known.sequences is not None,
    )
    sequences = None
    if known.sequences is not None and further.sequences is not None:
        sequences = Sequences(
            JoinedSequences.of(known.sequences.text, further.sequences.text),
            JoinedSequences.of(known.sequences.image, further.sequences.image),
        )
    return Features(
        torch.cat([known.text, further.text]), torch.cat([known.image, further.image]), sequences
    )
