"""The two encoders of a variant, by name."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    """One of the two encoders."""

    TEXT = "text"
    IMAGE = "image"
