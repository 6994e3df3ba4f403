"""A schedule of rounds that fail or take long: `python -m tests.….rounds KIND FOLDER`."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path

from exporters.retraining.schedule import repeat

PERIOD_S = 0.1


def fail_in_turn(folder: Path) -> None:
    """Dies of something else each time, and at last of nothing."""
    number = len(list(folder.iterdir()))
    (folder / f"round-{number}").touch()
    if number == 0:
        raise ZeroDivisionError("a defect")
    if number == 1:
        os.abort()


def work_until_interrupted(folder: Path) -> None:
    """Works for long, and cleans up slowly."""
    (folder / "began").write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        time.sleep(0.5)
        (folder / "cleaned").touch()


if __name__ == "__main__":
    kind = {"fail": fail_in_turn, "work": work_until_interrupted}[sys.argv[1]]
    repeat(partial(kind, Path(sys.argv[2])), PERIOD_S, partial(print, flush=True))
