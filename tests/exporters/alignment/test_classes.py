from __future__ import annotations

import numpy as np
import pytest

from exporters.alignment.classes import positions_among, split_by_label
from exporters.data.errors import SplitError

LABELS = np.repeat(np.arange(10), 6)
ALONE = np.arange(60)


def test_split_by_label_puts_no_label_into_two_parts() -> None:
    split = split_by_label(LABELS, ALONE, validation_ratio=0.2, holdout_ratio=0.3, seed=1)

    train, validation, holdout = (
        set(LABELS[part].tolist()) for part in (split.train, split.validation, split.holdout)
    )
    assert (len(train), len(validation), len(holdout)) == (5, 2, 3)
    assert train | validation | holdout == set(range(10))
    assert set(split.holdout_labels.tolist()) == holdout
    assert set(split.validation_labels.tolist()) == validation


def test_split_by_label_leaves_twins_of_held_out_pairs_out_of_training() -> None:
    groups = ALONE % 6  # each pair has a twin under every other label
    groups[LABELS > 0] += (LABELS[LABELS > 0] * 6) * (groups[LABELS > 0] > 0)

    split = split_by_label(LABELS, groups, validation_ratio=0.2, holdout_ratio=0.3, seed=1)

    kept = set(groups[split.validation].tolist()) | set(groups[split.holdout].tolist())
    assert not kept & set(groups[split.train].tolist())
    assert not set(groups[split.validation].tolist()) & set(groups[split.holdout].tolist())
    assert len(split.holdout) == 18


def test_split_by_label_is_decided_by_the_seed() -> None:
    drawn = [
        split_by_label(LABELS, ALONE, validation_ratio=0.2, holdout_ratio=0.3, seed=seed)
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(drawn[0].holdout_labels, drawn[1].holdout_labels)
    assert not np.array_equal(drawn[0].holdout_labels, drawn[2].holdout_labels)


def test_split_by_label_of_three_labels_is_refused() -> None:
    with pytest.raises(SplitError, match="3 labels are too few"):
        split_by_label(
            np.array([0, 1, 2]), np.arange(3), validation_ratio=0.2, holdout_ratio=0.2, seed=0
        )


def test_positions_among_counts_within_the_candidates() -> None:
    assert positions_among(np.array([7, 2, 7]), np.array([2, 5, 7])).tolist() == [2, 0, 2]
