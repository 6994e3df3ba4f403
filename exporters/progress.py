"""Progress of work that takes longer than a glance: a bar on a terminal, lines in a log."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE_EVERY_S: Final = 5.0


class Advance(Protocol):
    """Tells the display that work was done."""

    def __call__(self, steps: int = 1, note: str = "") -> None:
        """Counts `steps` more as done; `note` is a short figure such as the current loss."""


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Shows how far `what` is, on standard error.

    Args:
        what: the work, in words.
        total: how many steps it has.

    Yields:
        The function to call as steps are done.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        lines = _Lines(what, total)
        try:
            yield lines.advance
        finally:
            lines.end()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(what, total=total, note="")
        yield _Bar(bars, task).advance


@dataclass(frozen=True)
class _Bar:
    bars: Progress
    task: TaskID

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.bars.update(self.task, advance=steps, note=note)


@dataclass
class _Lines:
    """A line every few seconds and one at the end: short in a log, and never silent for long."""

    what: str
    total: int
    done: int = 0
    note: str = ""
    last_line_s: float = field(default_factory=time.monotonic)

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.done += steps
        self.note = note
        if time.monotonic() - self.last_line_s >= _LINE_EVERY_S:
            self._write_line()

    def end(self) -> None:
        """Writes the last line, also when the work was cut short."""
        self._write_line()

    def _write_line(self) -> None:
        self.last_line_s = time.monotonic()
        sys.stderr.write(f"{self.what}: {self.done}/{self.total}  {self.note}".rstrip() + "\n")
        sys.stderr.flush()
