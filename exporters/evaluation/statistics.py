"""Intervals and paired tests for examples that come in groups: plain functions of arrays.

Near twins are right or wrong together, so what is drawn or flipped is a whole group, never an
example by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_RESAMPLES: Final = 2000
_FLIPS: Final = 20_000
_BLOCK: Final = 200  # draws at once: 200 x 100,000 groups are 160 MB


def bootstrap_intervals(
    values: NDArray[np.float64], groups: NDArray[np.int64], seed: int
) -> NDArray[np.float64]:
    """Returns 95 % percentile intervals of means, by resampling whole groups with replacement.

    Field and Welsh 2007, "Bootstrapping clustered data". All series see the same resamples.

    Args:
        values: shape (series, examples).
        groups: group of each example, shape (examples,).
        seed: of the resamples.

    Returns:
        Lower and upper ends, shape (series, 2).
    """
    _, group_of = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group_of)
    sums = np.stack([np.bincount(group_of, weights=each) for each in values])  # (series, groups)
    rng = np.random.default_rng(seed)
    chances = np.full(len(sizes), 1 / len(sizes))
    means = []
    for _ in range(_RESAMPLES // _BLOCK):
        draws = rng.multinomial(len(sizes), chances, size=_BLOCK)  # (block, groups)
        means.append((draws @ sums.T) / (draws @ sizes)[:, None])  # (block, series)
    ends: NDArray[np.float64] = np.percentile(np.concatenate(means), [2.5, 97.5], axis=0)
    return ends.T


def sign_flip_p(differences: NDArray[np.float64], groups: NDArray[np.int64], seed: int) -> float:
    """Returns the two-sided p-value of "neither of two is right more often", by permutation.

    If neither is better, each group's net difference could as well have had the other sign
    (Fisher 1935, "The Design of Experiments"). With groups of one it is McNemar's exact test.

    Args:
        differences: 1 where only the first is right, -1 where only the second, else 0, (examples,).
        groups: group of each example, shape (examples,).
        seed: of the drawn signs.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    net = np.bincount(group_of, weights=differences)
    net = net[net != 0]
    rng = np.random.default_rng(seed)
    as_far = 0
    for _ in range(_FLIPS // _BLOCK):
        signs = 2 * rng.integers(0, 2, (_BLOCK, len(net))) - 1  # (block, groups)
        as_far += int(np.sum(np.abs(signs @ net) >= abs(net.sum())))
    # The observed signs are one of the possible draws: a p-value is never 0.
    return (as_far + 1) / (_FLIPS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects p-values for their number; in the order they came.

    Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected = [1.0] * len(p_values)
    largest = 0.0
    for rank, position in enumerate(order):
        largest = max(largest, min(1.0, p_values[position] * (len(p_values) - rank)))
        corrected[position] = largest
    return corrected
