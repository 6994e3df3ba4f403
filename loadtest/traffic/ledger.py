"""The file of replies: a line of JSON for each request, in the order of due times."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from loadtest.traffic.replies import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write(path: Path, replies: Iterable[Reply]) -> None:
    """Writes the file; it appears whole or not at all."""
    scratch = path.with_suffix(".new")
    with scratch.open("w", encoding="utf-8") as lines:
        for reply in sorted(replies):
            lines.write(json.dumps([round(reply.due_s, 6), *reply[1:]]) + "\n")
    scratch.replace(path)


def read(path: Path) -> list[Reply]:
    """Reads what `write` has written."""
    with path.open(encoding="utf-8") as lines:
        return [Reply(*json.loads(line)) for line in lines]
