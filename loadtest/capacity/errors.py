"""What can keep a plan from being made, drawn as a tree.

```
ObstacleError
└── CapacityError
    ├── ProfileFileError     the file of the profile cannot be used
    └── UnreachableTargetError   not even one request at a time is answered within the target
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtest.bench.errors import ObstacleError

if TYPE_CHECKING:
    from pathlib import Path


class CapacityError(ObstacleError):
    """Base of all errors of capacity planning."""


class ProfileFileError(CapacityError):
    """The file of the profile cannot be used.

    Attributes:
        path: the file.
        reason: what is wrong, with the field.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is no profile ({reason}): write one with `python -m loadtest profile`."
        )
        self.path = path
        self.reason = reason


class UnreachableTargetError(CapacityError):
    """Not even one request at a time is answered within the target.

    Attributes:
        p99_ms: the target.
        alone_ms: what a lone request takes.
    """

    def __init__(self, p99_ms: float, alone_ms: float) -> None:
        super().__init__(
            f"A lone request takes {alone_ms:.0f} ms on this device, so no number of replicas "
            f"reaches a P99 of {p99_ms:g} ms: raise --p99, or profile a smaller variant or another "
            "device."
        )
        self.p99_ms = p99_ms
        self.alone_ms = alone_ms
