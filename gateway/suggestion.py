"""The nearest known name, for messages that refuse an unknown one."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ends a message that refuses `name`.

    Returns:
        "Did you mean 'x'?" when one known name is near, else "Known: a, b." or "None is known.".
    """
    names = sorted(known)
    if near := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
        return f"Did you mean '{near[0]}'?"
    return f"Known: {', '.join(names)}." if names else "None is known."
