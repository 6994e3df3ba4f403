"""The options --since and --every: an age or a moment, and a time between rounds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

_AGE: Final = re.compile(r"(\d{1,4})([dhms])")
_UNITS_S: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def moment_of(text: str | None) -> datetime | None:
    """Reads an age such as 7d, 12h, 30m or 90s, or a moment such as 2026-03-01 (UTC by default).

    Raises:
        typer.BadParameter: it is neither.
    """
    if text is None:
        return None
    if (age := _AGE.fullmatch(text)) is not None:
        return datetime.now(UTC) - _length(age)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"'{text}' is no age such as 7d or 12h, and no moment such as 2026-03-01"
        raise typer.BadParameter(message, param_hint="--since") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def period_of(text: str | None) -> timedelta | None:
    """Reads a time such as 7d, 12h, 30m or 90s.

    Raises:
        typer.BadParameter: it is none, or nothing.
    """
    if text is None:
        return None
    if (age := _AGE.fullmatch(text)) is None or not int(age[1]):
        message = f"'{text}' is no time such as 7d or 12h"
        raise typer.BadParameter(message, param_hint="--every")
    return _length(age)


def _length(age: re.Match[str]) -> timedelta:
    return timedelta(seconds=int(age[1]) * _UNITS_S[age[2]])
