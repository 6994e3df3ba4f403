from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from exporters.data import Split, folds_by_group, split_by_group
from exporters.data.errors import SplitError

LABELS = ("common", "rare", "between")

Indices = NDArray[np.int64]


def grouped_data(seed: int, groups: int = 400) -> tuple[Indices, Indices]:
    rng = np.random.default_rng(seed)
    sizes = rng.choice([1, 1, 1, 2, 5, 20], size=groups)
    group_labels = rng.choice(3, size=groups, p=[0.7, 0.1, 0.2])
    return np.repeat(group_labels, sizes), np.repeat(np.arange(groups), sizes)


def one_of(labels: Indices) -> NDArray[np.bool_]:
    return np.equal(labels[:, None], np.arange(len(LABELS)))


def split(labels: Indices, groups: Indices, seed: int = 0) -> Split:
    return split_by_group(
        one_of(labels), groups, LABELS, validation_ratio=0.15, holdout_ratio=0.2, seed=seed
    )


@pytest.mark.parametrize("seed", range(5))
def test_split_is_a_partition_that_cuts_no_group(seed: int) -> None:
    labels, groups = grouped_data(seed)

    parts = split(labels, groups, seed)

    everything = np.concatenate([parts.train, parts.validation, parts.holdout])
    assert sorted(everything.tolist()) == list(range(len(labels)))
    for group in set(groups.tolist()):
        members = np.flatnonzero(groups == group)
        is_inside = [np.isin(members, part) for part in vars(parts).values()]
        assert sum(inside.all() for inside in is_inside) == 1


@pytest.mark.parametrize("seed", range(5))
def test_split_keeps_the_share_of_each_label(seed: int) -> None:
    labels, groups = grouped_data(seed)

    parts = split(labels, groups, seed)

    for part, ratio in ((parts.validation, 0.15), (parts.holdout, 0.2)):
        for label in range(3):
            share = np.sum(labels[part] == label) / np.sum(labels == label)
            # Half a largest group (20) of the rarest label (about 200 examples) is 5 points.
            assert share == pytest.approx(ratio, abs=0.05)


def test_split_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    labels, groups = grouped_data(0)

    assert np.array_equal(split(labels, groups, 1).holdout, split(labels, groups, 1).holdout)
    assert not np.array_equal(split(labels, groups, 1).holdout, split(labels, groups, 2).holdout)


def test_label_in_a_single_group_is_refused_by_name() -> None:
    labels, groups = grouped_data(0)
    labels[labels == 1] = 0
    labels[groups == groups[-1]] = 1

    with pytest.raises(SplitError, match="rare"):
        split(labels, groups)


def folds(labels: Indices, groups: Indices, seed: int = 0) -> tuple[Split, ...]:
    return folds_by_group(one_of(labels), groups, LABELS, folds=5, validation_ratio=0.2, seed=seed)


def test_folds_hold_each_example_out_once_and_cut_no_group() -> None:
    labels, groups = grouped_data(0)

    splits = folds(labels, groups)

    held_out = np.concatenate([split.holdout for split in splits])
    assert sorted(held_out.tolist()) == list(range(len(labels)))
    for each in splits:
        parts = [set(groups[part].tolist()) for part in vars(each).values()]
        assert sum(map(len, parts)) == len(set(groups.tolist())) == len(set.union(*parts))


def test_folds_keep_the_share_of_each_label() -> None:
    labels, groups = grouped_data(0)

    for each in folds(labels, groups):
        for label in range(3):
            total = np.sum(labels == label)
            # Half a largest group (20) of the rarest label (about 200 examples) is 5 points.
            assert np.sum(labels[each.holdout] == label) / total == pytest.approx(0.2, abs=0.05)
            rest = total - np.sum(labels[each.holdout] == label)
            share = np.sum(labels[each.validation] == label) / rest
            assert share == pytest.approx(0.2, abs=0.06)


def test_folds_of_a_label_in_too_few_groups_are_refused_by_name() -> None:
    labels, groups = grouped_data(0)
    labels[labels == 1] = 0
    labels[np.isin(groups, np.unique(groups)[-4:])] = 1

    with pytest.raises(SplitError, match="rare"):
        folds(labels, groups)
