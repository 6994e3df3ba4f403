"""Reads the requests of the admin API: conditions, JSON bodies, query parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pydantic_core
from pydantic import BaseModel, ValidationError

from gateway.api.body import read_body
from gateway.errors import MalformedRequestError
from gateway.routing.definitions import NAME_PATTERN
from gateway.traffic.admin import Condition
from gateway.traffic.file import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_MAX_BODY_BYTES: Final = 256 * 1024
_Body = TypeVar("_Body", bound=BaseModel)


def condition_of(request: Request) -> Condition:
    """Reads `If-Match` and `If-None-Match`.

    Raises:
        MalformedRequestError: the latter is something else than `*`.
    """
    none_match = request.headers.get("if-none-match")
    if none_match not in {None, "*"}:
        raise MalformedRequestError(
            "if_none_match_invalid", "If-None-Match can be * alone.", field="If-None-Match"
        )
    return Condition(request.headers.get("if-match"), is_new=none_match == "*")


async def read_object(request: Request) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        MalformedRequestError: the body is none.
    """
    try:
        value = pydantic_core.from_json(await read_body(request, _MAX_BODY_BYTES))
    except ValueError as error:
        raise MalformedRequestError(
            "json_invalid", "The body is not valid JSON in UTF-8.", field="body"
        ) from error
    if not isinstance(value, dict):
        raise MalformedRequestError(
            "json_not_object", "The JSON value is not an object.", field="body"
        )
    return value


def validated(model: type[_Body], value: Mapping[str, Any]) -> _Body:
    """Validates a JSON object.

    Raises:
        MalformedRequestError: it is not what the model says; names each place.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        raise MalformedRequestError(
            "definition_invalid",
            f"{describe(error)}.",
            field=".".join(map(str, place))[:64] or None,
        ) from error


def checked_name(field: str, text: str) -> str:
    """Returns `text`.

    Raises:
        MalformedRequestError: it cannot be a name.
    """
    if not re.fullmatch(NAME_PATTERN, text):
        raise MalformedRequestError(
            "name_invalid",
            f"{field} must have from 1 to 63 of a-z, 0-9, '_' and '-'.",
            field=field,
        )
    return text


def checked_number(name: str, text: str, least: int, most: int) -> int:
    """Reads a whole number.

    Raises:
        MalformedRequestError: it is none, or out of range.
    """
    if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
        raise MalformedRequestError(
            "number_out_of_range",
            f"{name} must be a whole number from {least} to {most}.",
            field=name,
            limit=most,
        )
    return int(text)
