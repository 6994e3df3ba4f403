from __future__ import annotations

import csv
import shutil
from typing import TYPE_CHECKING

import pytest
import torch

from exporters.compression import compress, parse_steps
from exporters.compression.unlabelled import with_pairs
from exporters.data.errors import TableError
from tests.small_data import save_small_table

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.training import TrainedVariant
    from exporters.workspace import Workspace

PAIRS = 60


def write_pairs(folder: Path, variant: TrainedVariant, *, new: int) -> Path:
    """New drawings without labels, and one held-out example as it stands."""
    save_small_table(folder, examples=max(new, 1), seed=9)
    with (folder / "shapes.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["image"], row["text"]) for row in csv.DictReader(file)][:new]
    example = variant.holdout_examples[0]
    shutil.copyfile(example.image, folder / "images" / f"known{example.image.suffix}")
    rows.append((f"images/known{example.image.suffix}", example.text))
    table = folder / "pairs.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", "text"), *rows])
    return table


@pytest.fixture(scope="module")
def further(
    variant: TrainedVariant, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> TrainedVariant:
    table = write_pairs(tmp_path_factory.mktemp("pairs"), variant, new=PAIRS)
    return with_pairs(variant, table, workspace)


def test_pairs_stand_behind_the_training_examples_and_are_labelled_in_no_task(
    further: TrainedVariant, variant: TrainedVariant
) -> None:
    known = len(variant.table)

    assert further.table.examples[:known] == variant.table.examples
    added = further.split.train[len(variant.split.train) :]
    assert added.tolist() == list(range(known, len(further.table)))
    assert len(added) > PAIRS // 2  # some may be named as a judged example is
    assert not further.table.is_labelled[known:].any()
    assert torch.equal(further.features.image[:known], variant.features.image)
    assert len(further.features) == len(further.table)


def test_pair_that_is_a_held_out_example_is_left_out(
    further: TrainedVariant, variant: TrainedVariant
) -> None:
    judged = {variant.table.examples[row].image_digest for row in further.split.holdout}

    added = further.table.examples[len(variant.table) :]

    assert not judged & {example.image_digest for example in added}
    assert (further.split.holdout == variant.split.holdout).all()


def test_table_without_any_new_pair_is_refused(
    variant: TrainedVariant, workspace: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match="every pair"):
        with_pairs(variant, write_pairs(tmp_path, variant, new=0), workspace)


def test_distillation_learns_from_the_pairs_and_judges_the_original_examples(
    further: TrainedVariant, variant: TrainedVariant, workspace: Workspace
) -> None:
    steps = parse_steps(["distil@text:keep=0.5,epochs=1"])

    without = compress(variant, steps, workspace)
    taught = compress(variant, steps, workspace, learned_from=further)

    assert len(taught.variant.features) == len(variant.table)
    assert taught.variant.run_folder != without.variant.run_folder
    assert not torch.equal(taught.variant.features.text, without.variant.features.text)
    assert {cost.examples for cost in taught.costs.values()} == {len(variant.split.holdout)}
