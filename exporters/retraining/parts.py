"""What is fitted, stopped and judged on: the original examples and the recent ones, apart.

Examples that are near twins, in text or image, stay on one side, whichever of the two they come
from: a twin of an original training example is never held out, and an original held-out example
whose twin is fitted on is held out no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from exporters.data import group_examples
from exporters.data.twins import twin_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from exporters.retraining.recent import RecentExamples
    from exporters.training import TrainedVariant

_SAME_TEXT_COSINE: Final = (
    0.9999  # the same text again: half precision and batch mates move it less
)
_HELD_OUT_RATIO: Final = 0.4
_VALIDATION_RATIO: Final = 0.15


@dataclass(frozen=True)
class Parts:
    """Positions.

    Attributes:
        train, validation, held_out: of recent examples.
        groups: of all recent examples, shape (examples,).
        original_holdout: of original examples that nothing of this was fitted on.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    held_out: NDArray[np.int64]
    groups: NDArray[np.int64]
    original_holdout: NDArray[np.int64]


def divide(variant: TrainedVariant, recent: RecentExamples) -> Parts:
    """Divides recent examples by groups; the recipe's seed draws them.

    Args:
        variant: the recipe's variant, with the original examples and their split.
        recent: the joined examples.
    """
    count = len(variant.table)
    groups = _groups(variant, recent)
    original, new = groups[:count], groups[count:]
    split = variant.split
    is_fitted = np.isin(new, original[np.concatenate([split.train, split.validation])])
    free = np.unique(new[~is_fitted])
    drawn = np.random.default_rng(variant.recipe.seed).permutation(free)
    ends = (np.array([_HELD_OUT_RATIO, _HELD_OUT_RATIO + _VALIDATION_RATIO]) * len(free)).astype(
        int
    )
    held_out, validation, _ = np.split(drawn, ends)
    is_held_out, is_validation = np.isin(new, held_out), np.isin(new, validation)
    seen = new[~is_held_out]
    holdout = split.holdout[~np.isin(original[split.holdout], seen)]
    return Parts(
        train=np.flatnonzero(~is_held_out & ~is_validation),
        validation=np.flatnonzero(is_validation),
        held_out=np.flatnonzero(is_held_out),
        groups=new,
        original_holdout=holdout,
    )


def resampled(
    weights: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draws positions in proportion to weights, each as often as expected or one time more or less.

    Systematic resampling (Kitagawa 1996, "Monte Carlo Filter and Smoother"). Fitted on the drawn
    ones, each counted once, a head minimises the weighted loss.
    """
    places = (np.arange(count) + rng.random()) / count
    shares = np.cumsum(weights) / weights.sum()
    return np.minimum(np.searchsorted(shares, places), len(weights) - 1).astype(np.int64)


def _groups(variant: TrainedVariant, recent: RecentExamples) -> NDArray[np.int64]:
    cosine = variant.recipe.data.twin_cosine
    features = variant.features
    image = np.concatenate([features.image.numpy(), recent.image])
    text = np.concatenate([features.text.numpy(), recent.text])
    count = len(variant.table)
    own = group_examples(variant.table.examples, features.image.numpy(), cosine)
    pairs = [
        (np.arange(count), own),
        *twin_pairs(image, min(cosine, _SAME_TEXT_COSINE)),
        *twin_pairs(text, _SAME_TEXT_COSINE),
    ]
    first = np.concatenate([pair[0] for pair in pairs])
    second = np.concatenate([pair[1] for pair in pairs])
    size = len(image)
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(size, size))
    groups: NDArray[np.int64] = connected_components(links, directed=False)[1].astype(np.int64)
    return groups
