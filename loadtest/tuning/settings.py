"""What is tuned: keys of the recipe's `[target]`, and the values that are tried for them.

A candidate is the typed section itself, so it takes what a recipe takes, and what is found can be
written into one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from exporters.recipe_sections import TargetRecipe
from loadtest.tuning.errors import SettingValueError, UnknownSettingError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Processes and threads of one encoder share the cores: which number of the one is best depends on
# the other, so the two are one axis. The rest change little of each other's best.
_TOGETHER: Final = (
    ("image_instances", "image_threads"),
    ("text_instances", "text_threads"),
    ("image_batch",),
    ("text_batch",),
    ("image_delay_us",),
    ("text_delay_us",),
)
SETTINGS: Final = tuple(key for keys in _TOGETHER for key in keys)

_BATCHES: Final = {"image_batch": (1, 2, 4, 8), "text_batch": (1, 4, 8, 16, 32)}
_DELAYS_US: Final = (0, 1000, 3000)


@dataclass(frozen=True)
class Axis:
    """Settings that are changed together.

    Attributes:
        keys: of the recipe's `[target]`.
        values: of them, a tuple for each.
    """

    keys: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]

    def candidates(self, of: TargetRecipe) -> list[TargetRecipe]:
        """Returns all values of these settings beside the other ones of a candidate."""
        changes = (dict(zip(self.keys, each, strict=True)) for each in self.values)
        return [of.model_copy(update=change) for change in changes]


def usual_axes(cores: int) -> tuple[Axis, ...]:
    """Returns what is tried when nobody says otherwise.

    Args:
        cores: of the machine; no encoder gets more processes times threads.
    """
    powers = [2**power for power in range(cores.bit_length())]
    shares = tuple(
        (instances, threads)
        for instances, threads in product(powers, powers)
        if instances * threads <= cores
    )
    return tuple(
        Axis(keys, shares if len(keys) > 1 else _singles(_BATCHES.get(keys[0], _DELAYS_US)))
        for keys in _TOGETHER
    )


def named_axes(options: Sequence[str]) -> tuple[Axis, ...]:
    """Reads `image_batch=1,2,4` and its like: these settings are tried, and no others.

    Raises:
        UnknownSettingError: a name that is not tuned.
        SettingValueError: a value that the setting does not take.
    """
    values = dict(map(_read, options))
    return tuple(
        Axis(named, tuple(product(*(values[key] for key in named))))
        for keys in _TOGETHER
        if (named := tuple(key for key in keys if key in values))
    )


def count_candidates(axes: Sequence[Axis], current: TargetRecipe) -> int:
    """How many combinations there are, the current one among them."""
    return prod(len({*axis.candidates(current), current}) for axis in axes)


def served(candidate: TargetRecipe) -> dict[str, int]:
    """Returns what is tuned of a candidate, by key."""
    return {key: getattr(candidate, key) for key in SETTINGS}


def changes(candidate: TargetRecipe, current: TargetRecipe) -> str:
    """Says in what a candidate is not as it is now."""
    now = served(current)
    changed = [f"{key} {value}" for key, value in served(candidate).items() if value != now[key]]
    return ", ".join(changed) or "as it is"


def _singles(values: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    return tuple((value,) for value in values)


def _read(option: str) -> tuple[str, tuple[int, ...]]:
    key, _, listed = option.partition("=")
    key = key.strip()
    if key not in SETTINGS:
        raise UnknownSettingError(key, SETTINGS)
    values = []
    for text in listed.split(","):
        try:
            # The recipe's own limits hold, and pydantic reads the digits.
            checked = TargetRecipe.model_validate({key: text.strip()})
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise SettingValueError(key, text.strip(), reason[0].lower() + reason[1:]) from error
        values.append(served(checked)[key])
    return key, tuple(dict.fromkeys(values))
