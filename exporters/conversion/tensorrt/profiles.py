"""Optimisation profiles: the shapes that an engine is made for.

A kernel is chosen for the middle shape of a profile and must work for all of it. Texts come in a
few bucket lengths, so each length gets a profile of its own, in which the batch alone varies;
Triton's backend takes, for each batch, the profile that fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from exporters.conversion.graphs import ATTENTION_MASK, INPUT_IDS, PIXELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.conversion.graphs import FeatureShape

Shape = tuple[int, ...]


class ShapeRange(NamedTuple):
    """Shapes of one input, batch first; `best` is what kernels are chosen for."""

    smallest: Shape
    best: Shape
    largest: Shape


Profile = Mapping[str, ShapeRange]
"""A range for each of a graph's inputs."""

_VARIES: Final = -1


def image_profiles(height: int, width: int, batch: int) -> tuple[Profile, ...]:
    """One profile for RGB pixels of one size, uint8 (1 to `batch`, height, width, 3)."""
    return ({PIXELS: _rows(batch, (height, width, 3))},)


def text_profiles(lengths: Sequence[int], batch: int) -> tuple[Profile, ...]:
    """A profile for each bucket length, for token ids and mask, int64 (1 to `batch`, length)."""
    return tuple(
        dict.fromkeys((INPUT_IDS, ATTENTION_MASK), _rows(batch, (length,))) for length in lengths
    )


def head_profiles(
    features: Mapping[str, FeatureShape], batch: int, lengths: Sequence[int] = ()
) -> tuple[Profile, ...]:
    """Profiles for a head's features, float32 (1 to `batch`, ...).

    Args:
        features: shape of each input without the batch axis, by name.
        batch: rows, at most.
        lengths: bucket lengths of a sequence that varies (-1); each is a profile of its own.
    """
    has_varying = any(_VARIES in shape for shape in features.values())
    return tuple(
        {
            name: _rows(batch, tuple(length if size == _VARIES else size for size in shape))
            for name, shape in features.items()
        }
        for length in (lengths if has_varying else (_VARIES,))
    )


def _rows(batch: int, shape: Shape) -> ShapeRange:
    # A quarter of the largest batch: under load batches grow past it, a lone request stays below.
    return ShapeRange((1, *shape), (max(1, batch // 4), *shape), (batch, *shape))
