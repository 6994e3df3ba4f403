"""Every key of a recipe as a table: the README shows it and a test holds it against the code."""

from __future__ import annotations

import json
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from exporters.recipe import Recipe, section_model

if TYPE_CHECKING:
    from pydantic import BaseModel

_WORDS: Final[dict[Any, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    tuple: "list of texts",
    dict: "table",
}


@dataclass(frozen=True)
class RecipeKey:
    """One key of the recipe, as the documentation shows it.

    Attributes:
        name: dotted, for example `data.holdout_ratio`.
        type: what it takes, in words: `text`, `path`, `"mean" or "cls"`.
        default: as TOML; `required` when there is none, `none` when the key may be left out.
        description: one line.
    """

    name: str
    type: str
    default: str
    description: str


def describe_keys() -> tuple[RecipeKey, ...]:
    """Lists every key of a recipe, in the order of the file's sections."""
    return tuple(_describe(Recipe, prefix=""))


def _describe(section: type[BaseModel], prefix: str) -> list[RecipeKey]:
    keys: list[RecipeKey] = []
    for name, field in section.model_fields.items():
        inner = section_model(section, name)
        if inner is not None:
            keys += _describe(inner, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True, validated_data={})
        keys.append(
            RecipeKey(
                name=prefix + name,
                type=_type_in_words(field.annotation),
                default="required" if field.is_required() else _as_toml(default),
                description=field.description or "",
            )
        )
    return keys


def _type_in_words(annotation: Any) -> str:  # noqa: ANN401 - a type expression has no type
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_in_words(arguments[0])
    if origin is Literal:
        return " or ".join(json.dumps(value) for value in arguments)
    if origin in (Union, types.UnionType):
        named = [each for each in arguments if each is not type(None)]
        return " or ".join(_type_in_words(each) for each in named)
    return _WORDS[origin or annotation]


def _as_toml(default: Any) -> str:  # noqa: ANN401 - any default
    return "none" if default is None else json.dumps(default)
