"""Values: equal and hashed by what they hold, small, and frozen for the type checker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.reuse.equality import Question
from gateway.value import value


@value
class Point:
    x: int
    y: int = 0


def test_equal_values_are_one_key() -> None:
    assert Point(1) == Point(1, 0)
    assert {Point(1): "a"}[Point(1, 0)] == "a"
    assert Point(1) != replace(Point(1), y=2)


def test_a_value_holds_its_fields_and_nothing_else() -> None:
    with pytest.raises(AttributeError):
        setattr(Point(1), "z", 3)  # noqa: B010 - the type checker would refuse it


def test_a_hash_of_the_class_own_is_kept() -> None:
    one, other = (Question("", "m", "d", {"TEXT": text}) for text in (b"a", b"a"))
    assert hash(one) == hash(other)  # a mapping has none, so that of all fields would fail


def test_the_type_checker_is_told_that_values_are_frozen() -> None:
    told = value.__dataclass_transform__  # type: ignore[attr-defined]  # PEP 681
    assert told["kwargs"]["frozen_default"] is True  # which Python 3.11 does not know yet
