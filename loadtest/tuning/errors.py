"""What can keep a tuning from being made, drawn as a tree.

```
ObstacleError
└── TuningError
    ├── RefusedRecipeError    the recipe cannot be read
    ├── UnknownSettingError   a setting that is not one that is tuned
    ├── SettingValueError     a value that the setting does not take
    ├── RecipeOutputError     the tuned recipe cannot be written where it should
    └── NeverKeptError        not even the setting as it is keeps the limit at any rate
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.bench.errors import ObstacleError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class TuningError(ObstacleError):
    """Base of all errors of tuning."""


class RefusedRecipeError(TuningError):
    """The recipe cannot be read.

    Attributes:
        recipe: its name or file, as given.
    """

    def __init__(self, recipe: str, reason: str, remedy: str) -> None:
        super().__init__(f"{reason} {remedy}")
        self.recipe = recipe


class UnknownSettingError(TuningError):
    """A setting that is not one that is tuned.

    Attributes:
        setting: as given.
        known: those that are.
    """

    def __init__(self, setting: str, known: Sequence[str]) -> None:
        super().__init__(f"--try {setting}: it is none of {', '.join(known)}.")
        self.setting = setting
        self.known = tuple(known)


class SettingValueError(TuningError):
    """A value that the setting does not take.

    Attributes:
        setting: its key in the recipe's `[target]`.
        value: as given.
        reason: what it takes.
    """

    def __init__(self, setting: str, value: str, reason: str) -> None:
        super().__init__(
            f"--try {setting}: {value!r} is no value for it ({reason}). Write whole numbers with "
            f"commas between them, such as --try {setting}=1,2,4."
        )
        self.setting = setting
        self.value = value
        self.reason = reason


class RecipeOutputError(TuningError):
    """The tuned recipe cannot be written where it should.

    Attributes:
        path: where.
        reason: why not.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"Cannot write {path} ({reason}): name another file with --write.")
        self.path = path
        self.reason = reason


class NeverKeptError(TuningError):
    """Not even the setting as it is keeps the limit at any rate that was tried.

    Attributes:
        p99_ms: the limit.
        lowest_rps: the lowest rate that was tried.
    """

    def __init__(self, p99_ms: float, lowest_rps: float) -> None:
        super().__init__(
            f"Served as it is, 99 of 100 requests are not answered within {p99_ms:g} ms even at "
            f"{lowest_rps:.1f} requests a second: raise --p99, or end what else uses this machine."
        )
        self.p99_ms = p99_ms
        self.lowest_rps = lowest_rps
