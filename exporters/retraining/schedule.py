"""Repeats a retraining: one round after the other, each in a process of its own.

A round loads torch and starts a Triton for its proof. Between rounds lie hours, in which nothing of
that should stay in memory; and whatever a round dies of, the next one may go well, as the database
may be back or there may be more feedback. On a cluster a CronJob does the same.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from exporters.errors import ExporterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.process import BaseProcess
    from types import FrameType

_GRACE_S: Final = 30.0
"""For a round to end by itself: its Triton is stopped, and what was half-written goes."""

_EXIT_FAILED: Final = 2
_EXIT_INTERRUPTED: Final = 130


def repeat(once: Callable[[], object], period_s: float, say: Callable[[str], None]) -> None:
    """Runs a round, waits, and so on until SIGINT or SIGTERM; returns then.

    Args:
        once: a round; it is pickled, as it runs in another process.
        period_s: from the end of a round to the start of the next, which so never overlap.
        say: is told how a round failed, and when the next one is.
    """
    # A fork would inherit threads' locks, and signals that are on their way.
    spawn = multiprocessing.get_context("spawn")
    with sigterm_as_interrupt():
        round_: BaseProcess | None = None
        try:
            while True:
                round_ = spawn.Process(target=_round, args=(once,))
                round_.start()
                round_.join()
                if round_.exitcode != 0:
                    say(f"This round ended {_ending(round_.exitcode)}.")
                say(f"Again in {period_s:g} s; Ctrl-C ends it.")
                time.sleep(period_s)
        except KeyboardInterrupt:
            _end(round_)
            say("Ended; nothing is half-written.")


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Lets SIGTERM end the block as Ctrl-C does, so that it cleans up; for the main thread."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _round(once: Callable[[], object]) -> None:
    """The other process; of what is not expected it shows the traceback, with exit code 1."""
    handler = _interrupting_once()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
    try:
        once()
    except KeyboardInterrupt:
        sys.exit(_EXIT_INTERRUPTED)
    except ExporterError as error:
        sys.stderr.write(f"{error}\n{error.remedy}\n")
        sys.exit(_EXIT_FAILED)


def _interrupting_once() -> Callable[[int, FrameType | None], None]:
    """Makes a handler that interrupts once, so that a later signal cannot stop the cleaning up.

    Ctrl-C in a terminal reaches both processes, and then the other one's SIGTERM comes too.
    """
    is_interrupted = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal is_interrupted
        if not is_interrupted:
            is_interrupted = True
            signal.default_int_handler(number, frame)

    return handle


def _end(round_: BaseProcess | None) -> None:
    if round_ is None or not round_.is_alive():
        return
    round_.terminate()
    round_.join(_GRACE_S)
    if round_.is_alive():
        round_.kill()
        round_.join()


def _ending(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"by {signal.Signals(-exit_code).name}"
    return f"with exit code {exit_code}"
