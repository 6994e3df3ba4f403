"""Eligibility rules as functions of a request's metadata. Pure; nothing is evaluated as code."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.routing.definitions import ConditionDefinition

    Condition: TypeAlias = Callable[[Mapping[str, str]], bool]


def compile_condition(definition: ConditionDefinition) -> Condition:
    """Makes the function of one rule. Metadata that lacks the attribute fail it."""
    attribute = definition.attribute
    test = _test(definition)

    def holds(metadata: Mapping[str, str]) -> bool:
        value = metadata.get(attribute)
        return value is not None and test(value)

    return holds


def _test(definition: ConditionDefinition) -> Callable[[str], bool]:
    if (equals := definition.equals) is not None:
        return lambda value: value == equals
    if definition.one_of is not None:
        return frozenset(definition.one_of).__contains__
    if (prefix := definition.prefix) is not None:
        return lambda value: value.startswith(prefix)
    low = -math.inf if definition.min is None else definition.min
    high = math.inf if definition.max is None else definition.max
    return lambda value: _is_between(value, low, high)


def _is_between(value: str, low: float, high: float) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    return math.isfinite(number) and low <= number <= high
