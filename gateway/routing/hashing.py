"""Where a unit falls: its slot in a layer, and its arm in an experiment. Pure.

Every draw is SHA-256 of a purpose, a salt and the unit, so that any replica, and anyone with the
three, gets the same. Other salts give independent draws.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SLOTS: Final = 1000
"""Slots of a layer; an experiment takes some of them."""

_SEPARATOR: Final = b"\0"
_DRAWS: Final = float(1 << 53)  # as many as a double between 0 and 1 holds exactly


def uniform(*parts: str) -> float:
    """Draws a number from 0 to 1, both excluded: the first 53 bits of SHA-256 over the parts.

    Args:
        parts: in UTF-8, separated by a zero byte.
    """
    digest = hashlib.sha256(_SEPARATOR.join(part.encode() for part in parts)).digest()
    return ((int.from_bytes(digest[:8], "big") >> 11) + 0.5) / _DRAWS


def slot(layer: str, unit: str) -> int:
    """Returns the slot of a unit in a layer, from 0 to 999."""
    return int(SLOTS * uniform("slot", layer, unit))


def pick_arm(salt: str, unit: str, weights: Mapping[str, float]) -> str:
    """Draws an arm by weighted rendezvous hashing.

    Each arm has an exponential clock of its own, whose rate is the weight; the first to ring wins
    (Schindelhauer and Schomaker 2005, "Weighted Distributed Hash Tables"). Other weights scale the
    clocks and draw nothing anew, so a unit goes from arm a to arm b only when weight(b) / weight(a)
    has grown. Hence a change of one arm's weight moves no unit between other arms, and exactly as
    many as the change of its share; an arm that is added takes, and one that is removed gives, its
    share alone. When several weights change at once at most 2t / (1 + t) of the units move, where t
    is the total variation between the shares (Daliri et al. 2024, "Coupling without Communication
    and Drafter-Invariant Speculative Decoding"); nothing that draws without memory can promise less
    (Bavarian et al. 2020, "Optimality of Correlated Sampling Strategies").

    Args:
        salt: of the experiment.
        unit: whom the arm is for.
        weights: by arm; at least one above 0.

    Raises:
        ValueError: no weight is above 0.
    """
    return min(
        (-math.log(uniform("arm", salt, arm, unit)) / weight, arm)
        for arm, weight in weights.items()
        if weight > 0
    )[1]
