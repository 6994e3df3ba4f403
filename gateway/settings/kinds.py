"""Kinds of values that several groups of settings have."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode


def _by_comma(value: object) -> object:
    if isinstance(value, str):
        return tuple(part for each in value.split(",") if (part := each.strip()))
    return value


Port = Annotated[int, Field(ge=0, le=65_535)]
Ratio = Annotated[float, Field(ge=0, le=1)]
Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_by_comma)]
"""Several, written with commas."""
