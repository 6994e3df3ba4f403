"""Real processes throughout: small Python programs that say when they are up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

from deploy.local.process import TetheredProcess, last_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Starts a child of its own, writes both process ids, and sleeps.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(60)
"""
DEAF = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + FAMILY


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def start(program: str, log_path: Path) -> TetheredProcess:
    return TetheredProcess([sys.executable, "-c", program], os.environ, log_path)


def pids_in(log_path: Path) -> list[int]:
    wait_until(lambda: len(log_path.read_text().split()) >= 2)
    return [int(word) for word in log_path.read_text().split()]


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_stop_ends_the_command_and_its_children(tmp_path: Path) -> None:
    process = start(FAMILY, tmp_path / "log")
    pids = pids_in(tmp_path / "log")

    exit_code = process.stop(grace_s=5.0)

    assert exit_code == -signal.SIGTERM
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_stop_after_the_grace_kills_what_ignores_it(tmp_path: Path) -> None:
    process = start(DEAF, tmp_path / "log")
    pids = pids_in(tmp_path / "log")

    assert process.stop(grace_s=0.2) == -signal.SIGKILL
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_exit_code_command_that_crashed_takes_its_children_along(tmp_path: Path) -> None:
    process = start(FAMILY, tmp_path / "log")
    parent, child = pids_in(tmp_path / "log")
    assert process.exit_code() is None

    os.kill(parent, signal.SIGKILL)

    wait_until(lambda: process.exit_code() == -signal.SIGKILL)
    wait_until(lambda: not is_running(child))


def test_process_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    log_path = tmp_path / "log"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, pathlib, sys, time\n"
            "from deploy.local.process import TetheredProcess\n"
            "command = [sys.executable, '-c', sys.argv[1]]\n"
            "TetheredProcess(command, os.environ, pathlib.Path(sys.argv[2]))\n"
            "time.sleep(60)\n",
            "import os, time; print(os.getpid(), 0, flush=True); time.sleep(60)",
            str(log_path),
        ]
    )
    wait_until(log_path.exists)
    pid, _ = pids_in(log_path)

    parent.kill()
    parent.wait()

    wait_until(lambda: not is_running(pid))


def test_process_large_log_is_moved_aside_at_start(tmp_path: Path) -> None:
    log_path = tmp_path / "log"
    log_path.write_bytes(b"old\n" * 3_000_000)

    start("print('new')", log_path).stop(grace_s=5.0)

    assert (tmp_path / "log.1").stat().st_size == 12_000_000
    assert log_path.stat().st_size < 1000


def test_process_unknown_command_ends_and_says_so_in_the_log(tmp_path: Path) -> None:
    process = TetheredProcess(["no-such-command"], os.environ, tmp_path / "log")

    wait_until(lambda: process.exit_code() is not None)

    assert process.exit_code() != 0
    assert "no-such-command" in (tmp_path / "log").read_text()


def test_last_lines_returns_the_end_oldest_first(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntwo\nthr\xffee\n")

    assert last_lines(tmp_path / "log", 2) == ["two", "thr\ufffdee"]
    assert last_lines(tmp_path / "missing") == []
