"""How familiar a text's letters are: the same language, or another one.

A profile holds how likely three characters in a row are in the training texts. Texts of another
language score lower, whatever the two languages are, and short texts do as well as long ones when
many are looked at together (Dunning 1994, "Statistical Identification of Language").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

BUCKETS: Final = 4096
STEPS_PER_BIT: Final = 16
"""A profile's numbers are bits times this, so that one byte holds 0 to 15.9 bits."""

_MAX_CHARS: Final = 512
_BYTE: Final = 255


def language_profile(texts: Iterable[str]) -> NDArray[np.uint8]:
    """Counts trigrams, one added to each bucket.

    Returns:
        Bits that each bucket costs, times `STEPS_PER_BIT`, shape (BUCKETS,).
    """
    counts = np.ones(BUCKETS)
    for text in texts:
        np.add.at(counts, _buckets(text), 1.0)
    bits = -np.log2(counts / counts.sum())
    profile: NDArray[np.uint8] = np.minimum(np.rint(bits * STEPS_PER_BIT), _BYTE).astype(np.uint8)
    return profile


def familiarity(text: str, profile: NDArray[np.float32] | NDArray[np.uint8]) -> float:
    """Returns minus the bits that a trigram of the text costs on average; higher: more familiar.

    Args:
        text: of which the first 512 characters count.
        profile: see `language_profile`.
    """
    return -float(profile[_buckets(text)].mean()) / STEPS_PER_BIT


def _buckets(text: str) -> list[int]:
    padded = f"  {text[:_MAX_CHARS].casefold()} "
    return [crc32(padded[at : at + 3].encode()) % BUCKETS for at in range(len(padded) - 2)]
