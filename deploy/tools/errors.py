"""What can go wrong with tools, drawn as a tree.

```
ToolError
├── UnknownToolError    no tool of that name is known
└── FetchError          a package could not be had, or does not hold what it should
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ToolError(Exception):
    """Base of all errors of `deploy.tools`."""


class UnknownToolError(ToolError):
    """No tool of that name is known.

    Attributes:
        name: what was asked for.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"{name}: not one of {', '.join(sorted(known))}.")
        self.name = name


class FetchError(ToolError):
    """A package could not be had, or does not hold what it should.

    Attributes:
        package: its name and version.
        reason: what went wrong, without a full stop.
        remedy: what to do, as an imperative without a full stop.
    """

    def __init__(self, package: str, reason: str, remedy: str) -> None:
        super().__init__(f"{package}: {reason}. {remedy}.")
        self.package = package
        self.reason = reason
        self.remedy = remedy
