"""Train, validation and held-out examples: whole groups, each label's share kept, by seed.

`split_by_group` holds out one part; `folds_by_group` holds out every example once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exporters.data.errors import SplitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Split:
    """Positions of the examples of each part, ascending, each of shape (examples of the part,).

    Attributes:
        train: what the head is fitted on.
        validation: what stops the fit and calibrates the temperatures.
        holdout: what quality and parity are measured on; nothing is chosen by it.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    holdout: NDArray[np.int64]


def split_by_group(
    has_label: NDArray[np.bool_],
    groups: NDArray[np.int64],
    labels: Sequence[str],
    *,
    validation_ratio: float,
    holdout_ratio: float,
    seed: int,
) -> Split:
    """Splits so that no group is cut and each part has each label in about its overall share.

    Args:
        has_label: which labels each example has, shape (examples, labels).
        groups: group of each example, shape (examples,).
        labels: names of the labels, for the error.
        validation_ratio: wanted share of validation examples.
        holdout_ratio: wanted share of held-out examples.
        seed: the same seed gives the same split.

    Raises:
        SplitError: a label that has examples is missing from a part.
    """
    ratios = (1 - validation_ratio - holdout_ratio, validation_ratio, holdout_ratio)
    names = ("training", "validation", "holdout")
    part_of = _part_of_examples(has_label, groups, ratios, seed)
    _require_all_labels(has_label, part_of, labels, names)
    train, validation, holdout = (np.flatnonzero(part_of == part) for part in range(3))
    return Split(train, validation, holdout)


def folds_by_group(
    has_label: NDArray[np.bool_],
    groups: NDArray[np.int64],
    labels: Sequence[str],
    *,
    folds: int,
    validation_ratio: float,
    seed: int,
) -> tuple[Split, ...]:
    """Cross-validation: each example is held out by exactly one of the splits; no group is cut.

    Args:
        has_label: which labels each example has, shape (examples, labels).
        groups: group of each example, shape (examples,).
        labels: names of the labels, for the error.
        folds: number of splits, 2 or more.
        validation_ratio: wanted share of validation among the examples that are not held out.
        seed: the same seed gives the same folds.

    Raises:
        SplitError: a label that has examples is missing from a part of a fold.
    """
    fold_of = _part_of_examples(has_label, groups, [1 / folds] * folds, seed)
    names = [f"the holdout of fold {fold + 1}" for fold in range(folds)]
    _require_all_labels(has_label, fold_of, labels, names)
    splits = []
    for fold in range(folds):
        rest = np.flatnonzero(fold_of != fold)
        ratios = (1 - validation_ratio, validation_ratio)
        part_of = _part_of_examples(has_label[rest], groups[rest], ratios, seed)
        names = [f"the {part} part of fold {fold + 1}" for part in ("training", "validation")]
        _require_all_labels(has_label[rest], part_of, labels, names)
        holdout = np.flatnonzero(fold_of == fold)
        splits.append(Split(rest[part_of == 0], rest[part_of == 1], holdout))
    return tuple(splits)


def _part_of_examples(
    has_label: NDArray[np.bool_], groups: NDArray[np.int64], ratios: Sequence[float], seed: int
) -> NDArray[np.int64]:
    """Returns the part of each example, shape (examples,).

    Greedy: groups come largest first, in random order among equals, and each goes where the labels
    it carries are missing most.
    """
    has_none = ~has_label.any(axis=1, keepdims=True)
    if has_none.any():  # where several labels are possible: to have none is kept in share as well
        has_label = np.hstack([has_label, has_none])
    group_ids, group_of = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(group_ids), has_label.shape[1]))  # (groups, labels)
    np.add.at(counts, group_of, has_label)
    wanted = np.array(ratios)[:, None] * counts.sum(axis=0)  # (parts, labels)
    have = np.zeros_like(wanted)
    shuffled = np.random.default_rng(seed).permutation(len(group_ids))
    largest_first = shuffled[np.argsort(-counts[shuffled].sum(axis=1), kind="stable")]
    part_of_group = np.zeros(len(group_ids), dtype=np.int64)
    for group in largest_first:
        # How full each part would be of what this group carries, as a share of what it wants.
        fullness = ((have + counts[group]) / np.maximum(wanted, 1e-9)) @ counts[group]
        part = int(np.argmin(fullness))
        part_of_group[group] = part
        have[part] += counts[group]
    return part_of_group[group_of]


def _require_all_labels(
    has_label: NDArray[np.bool_],
    part_of: NDArray[np.int64],
    labels: Sequence[str],
    parts: Sequence[str],
) -> None:
    for label in np.flatnonzero(has_label.any(axis=0)):
        carriers = part_of[has_label[:, label]]
        for part, name in enumerate(parts):
            if part not in carriers:
                reason = f"label '{labels[label]}' has {len(carriers)} examples and none for {name}"
                raise SplitError(reason)
