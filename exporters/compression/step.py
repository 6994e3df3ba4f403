"""A step of a compression as a user writes it: `METHOD[@text|image][:key=value,...]`.

`low-rank@text:energy=0.9` applies one method to one encoder with one setting; without `@` a step
goes to every encoder that its method knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from exporters.compression.errors import InvalidStepError
from exporters.compression.methods import METHODS
from exporters.compression.side import Side
from exporters.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.compression.method import Method


@dataclass(frozen=True)
class Step:
    """One method with its settings.

    Attributes:
        method: name of a registered method.
        sides: the encoders it is applied to.
        settings: those that differ from the method's defaults, sorted by name.
    """

    method: str
    sides: tuple[Side, ...]
    settings: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        side = f"@{self.sides[0]}" if len(self.sides) < len(_sides_of(METHODS[self.method])) else ""
        return self.method + side + self._written_settings()

    @property
    def on_its_side(self) -> str:
        """The step as it is written where its encoder is known."""
        return self.method + self._written_settings()

    @property
    def values(self) -> dict[str, float]:
        """All settings of the method, by name."""
        return {**self._defaults(), **dict(self.settings)}

    def _defaults(self) -> dict[str, float]:
        return {name: each.default for name, each in METHODS[self.method].settings.items()}

    def _written_settings(self) -> str:
        written = ",".join(f"{name}={value:g}" for name, value in self.settings)
        return f":{written}" if written else ""


def parse_steps(texts: Sequence[str]) -> tuple[Step, ...]:
    """Reads steps in their order.

    Raises:
        UnknownNameError: a method is not registered.
        InvalidStepError: a method does not take that encoder, setting or place in the order.
    """
    steps = tuple(_parse_step(text) for text in texts)
    for side in Side:
        chain = steps_of(steps, side)
        for before, after in pairwise(chain):
            if METHODS[before.method].is_on_graph and not METHODS[after.method].is_on_graph:
                raise InvalidStepError(
                    str(after),
                    f"it changes the torch module, which {before.method} has already turned into "
                    "a graph of its own",
                    f"Put it before {before.method}.",
                )
            if METHODS[before.method].is_on_graph and METHODS[after.method].is_on_graph:
                raise InvalidStepError(
                    str(after),
                    f"the {side} graph is {before.method} already, and has one precision",
                    "Name one of the two.",
                )
    return steps


def steps_of(steps: Sequence[Step], side: Side) -> tuple[Step, ...]:
    """The steps of one encoder, in their order."""
    return tuple(Step(step.method, (side,), step.settings) for step in steps if side in step.sides)


def _parse_step(text: str) -> Step:
    named, _, written = text.partition(":")
    name, at, side = named.partition("@")
    if name not in METHODS:
        raise UnknownNameError("compression method", name, tuple(METHODS))
    method = METHODS[name]
    sides = _sides_of(method)
    if at:
        if side not in sides:
            raise InvalidStepError(
                text,
                f"'{name}' is not for an encoder '{side}'",
                f"Write {' or '.join(f'{name}@{each}' for each in sides)}.",
            )
        sides = (Side(side),)
    given = dict(_parse_setting(text, each, method) for each in written.split(",") if each)
    changed = {key: value for key, value in given.items() if value != method.settings[key].default}
    return Step(name, sides, tuple(sorted(changed.items())))


def _parse_setting(step: str, text: str, method: Method) -> tuple[str, float]:
    key, _, written = text.partition("=")
    known = ", ".join(f"{name} ({each})" for name, each in method.settings.items())
    cure = f"It knows: {known}." if known else "It has no settings."
    if key not in method.settings:
        raise InvalidStepError(step, f"'{method.name}' has no setting '{key}'", cure)
    setting = method.settings[key]
    try:
        value = float(written)
    except ValueError as error:
        raise InvalidStepError(step, f"{key} takes a number, not '{written}'", cure) from error
    if not setting.low <= value <= setting.high or (setting.is_whole and value != int(value)):
        raise InvalidStepError(step, f"{key}={written} is not {setting}", cure)
    return key, value


def _sides_of(method: Method) -> tuple[Side, ...]:
    return tuple(Side(name) for name in method.sides)
