"""A schedule outlives its rounds, and ends when it is told to; two rounds never overlap."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from exporters.retraining.errors import RetrainingRunsError
from exporters.retraining.lock import only_retraining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PATIENCE_S = 60.0


@contextlib.contextmanager
def schedule(kind: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Starts one in a session of its own, as a shell in a terminal does."""
    module = "tests.exporters.retraining.rounds"
    process = subprocess.Popen(
        [sys.executable, "-m", module, kind, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline_s = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_round_that_raises_or_crashes_does_not_end_the_schedule(tmp_path: Path) -> None:
    with schedule("fail", tmp_path) as process:
        wait_until((tmp_path / "round-3").exists, process)
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=_PATIENCE_S)

    assert process.returncode == 0
    assert "ZeroDivisionError: a defect" in errors
    assert "This round ended with exit code 1." in said
    assert "This round ended by SIGABRT." in said
    assert said.endswith("Ended; nothing is half-written.\n")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_schedule_that_is_stopped_lets_its_round_clean_up(
    tmp_path: Path, *, is_terminal: bool
) -> None:
    began = tmp_path / "began"
    with schedule("work", tmp_path) as process:
        wait_until(lambda: began.exists() and began.read_text() != "", process)
        if is_terminal:  # Ctrl-C reaches all processes of the terminal
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=_PATIENCE_S)

    assert (tmp_path / "cleaned").exists()
    assert not psutil.pid_exists(int(began.read_text()))
    assert (process.returncode, said, errors) == (0, "Ended; nothing is half-written.\n", "")


def test_second_retraining_of_a_recipe_is_refused_while_the_first_is_at_work(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "retraining" / "shapes.lock"

    with (
        only_retraining("shapes", lock),
        pytest.raises(RetrainingRunsError, match="'shapes' is at work") as caught,
        only_retraining("shapes", lock),
    ):
        pass

    assert str(lock) in caught.value.remedy
    with only_retraining("shapes", lock):
        pass  # it was let go
