from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from exporters.data.twins import twin_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray


def features_with_twins(seed: int, images: int, dim: int) -> NDArray[np.float32]:
    """Features of a falling spectrum, as encoders give, a tenth of them near copies of others."""
    rng = np.random.default_rng(seed)
    spread = 1 / np.sqrt(1 + np.arange(dim))
    features = rng.normal(size=(images, dim)) * spread + 3
    copies = images // 10
    features[-copies:] = features[:copies] + 0.4 * rng.normal(size=(copies, dim)) * spread
    return np.asarray(features, dtype=np.float32)


def pairs_of(features: NDArray[np.float32], twin_cosine: float) -> set[tuple[int, int]]:
    return {
        pair
        for first, second in twin_pairs(features, twin_cosine)
        for pair in zip(first.tolist(), second.tolist(), strict=True)
    }


def every_pair(features: NDArray[np.float32], twin_cosine: float) -> set[tuple[int, int]]:
    centred = features.astype(np.float64) - features.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    first, second = np.nonzero(np.triu(unit @ unit.T, k=1) > twin_cosine)
    return set(zip(first.tolist(), second.tolist(), strict=True))


@pytest.mark.parametrize("dim", [8, 600])  # fewer and more than the search turns them onto
@pytest.mark.parametrize("twin_cosine", [0.8, 0.9])
def test_twins_are_those_that_all_pairs_measured_in_full_give(dim: int, twin_cosine: float) -> None:
    # More images than one block of queries.
    features = features_with_twins(seed=1, images=1500, dim=dim)

    expected = every_pair(features, twin_cosine)

    assert len(expected) >= 100
    assert pairs_of(features, twin_cosine) == expected


def test_no_pair_is_a_twin_at_a_cosine_of_one() -> None:
    features = features_with_twins(seed=1, images=100, dim=16)
    features[7] = features[3]

    assert pairs_of(features, 1.0) == set()


def test_many_equal_images_are_all_found() -> None:
    features = np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
    features[:300] = features[0]

    assert len(pairs_of(features, 0.99)) == 300 * 299 // 2
