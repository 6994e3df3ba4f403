"""Near-twin images, found among the features of an encoder by scikit-learn's neighbour search.

The search is exact, as a twin that is missed may end up on both sides of a split. It is made quick
without losing one: features are first turned onto the few directions in which they vary most. That
can only bring two of them closer together, so whoever is near in all dimensions is near in these
(the lower bound of Faloutsos et al. 1994, "Fast Subsequence Matching in Time-Series Databases",
with the principal components of Pearson 1901). The pairs found so are then measured in full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.neighbors import NearestNeighbors

from exporters.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_DIRECTIONS: Final = 128
_BLOCK_ROWS: Final = 1024  # queries at once: bounds the memory where thousands of images are alike
_PAIRS_AT_ONCE: Final = 16_384  # of 1,280 float32 features: 84 MB a side
# Distances are sums of rounded float32 products. What is found a little too far out costs one
# measurement in full; what is missed would be a twin lost.
_SLACK: Final = 1e-3


def twin_pairs(
    features: NDArray[np.float32], twin_cosine: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Finds all pairs of near twins.

    Args:
        features: one image a row, shape (images, dim).
        twin_cosine: two images whose centred features have a larger cosine are near twins.

    Yields:
        Positions of the first and of the second image of some pairs, the first smaller, each of
        shape (pairs,).
    """
    # Centred: encoder features share a large common direction that makes all cosines high.
    centred = features - features.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.maximum(lengths, np.finfo(np.float32).tiny)
    turned = unit @ _main_directions(unit)
    # On the unit sphere, distance^2 = 2 - 2 cosine.
    radius = float(np.sqrt(max(0.0, 2 - 2 * twin_cosine))) + _SLACK
    search = NearestNeighbors(radius=radius, algorithm="brute").fit(turned)
    with progress("Looking for near-twin images", len(unit)) as advance:
        for start in range(0, len(unit), _BLOCK_ROWS):
            block = turned[start : start + _BLOCK_ROWS]
            found = search.radius_neighbors(block, return_distance=False)
            first = np.repeat(np.arange(start, start + len(block)), [len(each) for each in found])
            second = np.concatenate(found)
            is_once = first < second
            for pairs in _portions(first[is_once], second[is_once]):
                cosines = np.einsum("pd,pd->p", unit[pairs[0]], unit[pairs[1]])
                # Rounding lets the cosine of equal images pass 1, which no pair is to pass.
                is_twin = np.minimum(cosines, 1.0) > twin_cosine
                yield pairs[0][is_twin], pairs[1][is_twin]
            advance(len(block))


def _main_directions(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns orthonormal directions of largest spread, shape (dim, directions)."""
    _, directions = np.linalg.eigh(unit.T @ unit)  # ascending
    chosen: NDArray[np.float32] = directions[:, -_DIRECTIONS:].astype(np.float32)
    return chosen


def _portions(
    first: NDArray[np.int64], second: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        end = start + _PAIRS_AT_ONCE
        yield first[start:end], second[start:end]
