"""Times as people write them on a command line."""

from __future__ import annotations

from typing import Final

import typer

_LONGEST_MS: Final = 3_600_000  # an hour


def milliseconds(text: str, option: str) -> float:
    """Reads `500ms` or `0.5s`.

    Args:
        text: as given.
        option: where it was given, for the message.

    Raises:
        typer.BadParameter: it is no time above 0 and up to an hour.
    """
    for unit, factor in (("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            try:
                value = float(text.removesuffix(unit)) * factor
            except ValueError:
                break
            if 0 < value <= _LONGEST_MS:
                return value
            break
    raise typer.BadParameter(
        f"{text!r} is no time above 0 and up to an hour: write 500ms or 0.5s", param_hint=option
    )
