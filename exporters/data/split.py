"""Train, validation and held-out examples: whole groups, each label's share kept, by seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exporters.errors import SplitError

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
    label_indices: NDArray[np.int64],
    groups: NDArray[np.int64],
    labels: Sequence[str],
    *,
    validation_ratio: float,
    holdout_ratio: float,
    seed: int,
) -> Split:
    """Splits so that no group is cut and each part has each label in about its overall share.

    Greedy: groups come largest first, in random order among equals, and each goes where the labels
    it carries are missing most.

    Args:
        label_indices: label of each example, shape (examples,).
        groups: group of each example, shape (examples,).
        labels: names of the labels, for the error.
        validation_ratio: wanted share of validation examples.
        holdout_ratio: wanted share of held-out examples.
        seed: the same seed gives the same split.

    Raises:
        SplitError: a label that has examples is missing from a part.
    """
    group_ids, group_of = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(group_ids), len(labels)))  # (groups, labels)
    np.add.at(counts, (group_of, label_indices), 1)

    ratios = np.array([1 - validation_ratio - holdout_ratio, validation_ratio, holdout_ratio])
    wanted = ratios[:, None] * counts.sum(axis=0)  # (parts, labels)
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

    for name, row in zip(("training", "validation", "holdout"), have, strict=True):
        for label, total, count in zip(labels, counts.sum(axis=0), row, strict=True):
            if total > 0 and count == 0:
                reason = f"label '{label}' has {total:.0f} examples and none for {name}"
                raise SplitError(reason)
    part_of = part_of_group[group_of]
    train, validation, holdout = (np.flatnonzero(part_of == part) for part in range(3))
    return Split(train, validation, holdout)
