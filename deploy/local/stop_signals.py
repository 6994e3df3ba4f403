"""Turns the signals that end a program into a request that its main loop finds.

The handlers do no more than take a note: code that runs inside a handler can meet the program in
any state.
"""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, kill, the terminal was closed


class StopRequested(Exception):  # noqa: N818  # not an error: the user's wish
    """Someone asked this program to stop."""


class StopSignals:
    """Whether a stop was asked for."""

    def __init__(self) -> None:
        self.is_requested = False

    def pause(self, duration_s: float) -> None:
        """Sleeps, then raises `StopRequested` if a stop was asked for."""
        if not self.is_requested:
            time.sleep(duration_s)
        if self.is_requested:
            raise StopRequested


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Collects stop signals while the block runs; for the main thread."""
    signals = StopSignals()

    def note(_number: int, _frame: FrameType | None) -> None:
        signals.is_requested = True

    previous = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield signals
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
