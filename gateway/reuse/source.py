"""Where an answer's numbers come from, as the answer says it."""

from __future__ import annotations

from enum import StrEnum


class Source(StrEnum):
    """How a request came to its answer."""

    COMPUTED = "computed"
    """By a computation of its own."""
    COALESCED = "coalesced"
    """By that of an equal request that was in flight already."""
    CACHED = "cached"
    """By that of an equal request that was answered before."""
