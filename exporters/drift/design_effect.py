"""How many independent examples a sample with groups of near twins is worth.

The variance of a mean over whole groups is larger than over independent examples, by the design
effect (Kish 1965, "Survey Sampling"). Without it a reference would look surer than it is, and what
is only its own sampling error would be reported as drift for as long as the variant serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_LEAST: Final = 1.5
_QUANTILES: Final = np.linspace(0.1, 0.9, 9)


def effective_rows(values: Floats, groups: NDArray[np.int64]) -> float:
    """Returns what the mean of a sample is worth, above 1 and at most the number of its rows.

    Args:
        values: shape (rows, width).
        groups: group of each row, shape (rows,).
    """
    centred = values - values.mean(axis=0)
    _, group_of = np.unique(groups, return_inverse=True)
    sums = np.zeros((int(group_of.max()) + 1, values.shape[1]))
    np.add.at(sums, group_of, centred)
    alone, together = float(np.square(centred).sum()), float(np.square(sums).sum())
    effect = max(together / alone, 1.0) if alone > 0.0 else 1.0
    return max(len(values) / effect, _LEAST)


def effective_rows_of_values(values: Floats, groups: NDArray[np.int64]) -> float:
    """Returns what an empirical distribution function is worth, between its outer deciles."""
    points = np.quantile(values, _QUANTILES)
    return effective_rows((values[:, None] <= points).astype(np.float64), groups)


def effective_rows_of_categories(values: Sequence[str], groups: NDArray[np.int64]) -> float:
    """Returns what the shares of categories are worth."""
    names = np.unique(np.array(values))
    return effective_rows(np.equal(np.array(values)[:, None], names).astype(np.float64), groups)
