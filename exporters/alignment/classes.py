"""Whole labels held out: what is measured on them is what a label nobody trained on would get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from exporters.data.errors import SplitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FEWEST_LABELS: Final = 2  # of one label nothing can be told


@dataclass(frozen=True)
class ClassSplit:
    """Positions of the examples of each part, ascending; no label is in two parts.

    Attributes:
        train: what the projections are fitted on.
        validation: what stops the fit, and calibrates.
        holdout: what zero-shot quality and parity are measured on; nothing is chosen by it.
        validation_labels: indices of the labels of `validation`, ascending.
        holdout_labels: indices of the labels of `holdout`, ascending.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    holdout: NDArray[np.int64]
    validation_labels: NDArray[np.int64]
    holdout_labels: NDArray[np.int64]


def split_by_label(
    label_indices: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    validation_ratio: float,
    holdout_ratio: float,
    seed: int,
) -> ClassSplit:
    """Draws labels for validation and holdout; all examples of the others train.

    A pair that has the same text as a held-out one, or a twin image, is left out of what comes
    before: of training, and of validation.

    Args:
        label_indices: label of each example, shape (examples,).
        groups: group of each example, shape (examples,).
        validation_ratio: wanted share of labels.
        holdout_ratio: wanted share of labels.
        seed: the same seed gives the same split.

    Raises:
        SplitError: there are too few labels, or nothing is left to train on.
    """
    labels = np.random.default_rng(seed).permutation(np.unique(label_indices))
    validated = _share(len(labels), validation_ratio)
    held = min(_share(len(labels), holdout_ratio), len(labels) - validated)
    if held < _FEWEST_LABELS:
        reason = f"{len(labels)} labels are too few to validate and to hold out whole ones"
        raise SplitError(reason)
    holdout_labels = np.sort(labels[:held])
    validation_labels = np.sort(labels[held : held + validated])
    is_held = np.isin(label_indices, holdout_labels)
    is_validated = np.isin(label_indices, validation_labels) & ~_shares_group(groups, is_held)
    is_kept = np.isin(label_indices, labels[: held + validated])
    is_trained = ~is_kept & ~_shares_group(groups, is_kept)
    if not _has_labels(label_indices, is_validated):
        reason = "the labels drawn for validation have no examples but twins of held-out ones"
        raise SplitError(reason)
    return ClassSplit(
        np.flatnonzero(is_trained),
        np.flatnonzero(is_validated),
        np.flatnonzero(is_held),
        validation_labels,
        holdout_labels,
    )


def _share(labels: int, ratio: float) -> int:
    return max(_FEWEST_LABELS, round(labels * ratio))


def _shares_group(groups: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which examples share a group with one of `mask`, shape (examples,)."""
    return np.isin(groups, np.unique(groups[mask]))


def _has_labels(label_indices: NDArray[np.int64], mask: NDArray[np.bool_]) -> bool:
    return len(np.unique(label_indices[mask])) >= _FEWEST_LABELS


def positions_among(
    label_indices: NDArray[np.int64], candidates: Sequence[int] | NDArray[np.int64]
) -> NDArray[np.int64]:
    """Renumbers labels by their place among ascending `candidates`, shape (examples,)."""
    return np.searchsorted(np.asarray(candidates), label_indices)
