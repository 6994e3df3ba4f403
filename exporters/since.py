"""The option --since of commands that read what was captured: an age or a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import typer

_AGE: Final = re.compile(r"(\d{1,4})([dh])")


def moment_of(text: str | None) -> datetime | None:
    """Reads an age such as 7d or 12h, or a moment such as 2026-03-01 (UTC unless it says).

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
    """Reads an age such as 7d or 12h.

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
    return timedelta(**{"days" if age[2] == "d" else "hours": int(age[1])})
