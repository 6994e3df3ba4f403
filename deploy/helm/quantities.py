"""Kubernetes' quantities, such as `500m` and `2Gi`."""

from __future__ import annotations

import re
from typing import Final

_FORM: Final = re.compile(r"([0-9.]+)([A-Za-z]*)")
_FACTORS: Final = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
}


def amount(quantity: str | float) -> float:
    """Returns a quantity as a number: bytes, cores, or pieces.

    Raises:
        ValueError: it is none.
    """
    match = _FORM.fullmatch(str(quantity))
    if match is None or match.group(2) not in _FACTORS:
        raise ValueError(f"{quantity!r} is no quantity")
    return float(match.group(1)) * _FACTORS[match.group(2)]
