"""Ctrl-C between two steps: the work in hand ends, is kept, and then the program stops."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Interruption:
    """Whether somebody asked to stop."""

    is_asked: bool = False


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Takes the first Ctrl-C as a wish, read at the next good moment; the second stops at once.

    Outside the main thread, where signals cannot be caught, nothing changes.
    """
    asked = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.getsignal(signal.SIGINT)

    def wish(number: int, frame: Any) -> None:  # noqa: ANN401  # a frame of the interpreter
        if asked.is_asked:
            signal.default_int_handler(number, frame)
        asked.is_asked = True

    signal.signal(signal.SIGINT, wish)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
