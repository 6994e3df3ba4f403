"""One child process: tied to this one, in a process group of its own, its output in a log file.

Knows nothing of what it runs. `triton_server` and `gateway_server` say what that is, `supervisor`
when. Imports the standard library alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TETHER = Path(__file__).with_name("tether.py")
_MAX_LOG_BYTES = 10 * 1024 * 1024
_POLL_S = 0.02


class TetheredProcess:
    """A running command and every process it started.

    It leads a process group of its own, so Ctrl-C in a terminal reaches the launcher alone and the
    launcher decides the order of stopping. When this process dies, whatever the cause, the command
    is sent SIGTERM (see `tether`).
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log_path: Path
    ) -> None:
        """Starts the command.

        Args:
            command: program and arguments; no shell is involved.
            environment: the whole environment of the command.
            log_path: stdout and stderr are appended here. A log above 10 MiB is first renamed to
                `<name>.1`, and takes the place of the one before.
        """
        log_path.parent.mkdir(parents=True, exist_ok=True)
        if log_path.exists() and log_path.stat().st_size > _MAX_LOG_BYTES:
            log_path.replace(log_path.with_name(log_path.name + ".1"))
        tethered = [sys.executable, "-I", str(_TETHER), str(os.getpid()), *command]
        with log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                tethered,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The command's process id, which is its process group's too."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """Tells whether the command has ended, and takes what it left behind with it.

        Returns:
            None while it runs; then its exit status, negative for the signal that ended it.
        """
        if self._popen.returncode is None and self._has_ended():
            # Not reaped yet, so nobody else can have been given this process group's number.
            os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()
        return self._popen.returncode

    def stop(self, grace_s: float) -> int:
        """Ends the command: SIGTERM to it, after the grace SIGKILL to the whole group.

        Only the leader is asked: it knows in which order its own children go.

        Args:
            grace_s: how long it may take, in seconds.

        Returns:
            Its exit status.
        """
        if self.exit_code() is None:
            os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while self.exit_code() is None:
            if time.monotonic() >= deadline:
                os.killpg(self.pid, signal.SIGKILL)
            time.sleep(_POLL_S)
        return self._popen.wait()

    def _has_ended(self) -> bool:
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, flags) is not None


def last_lines(log_path: Path, count: int = 12) -> list[str]:
    """Returns the last lines of a log, oldest first; none when there is no such file."""
    if not log_path.exists():
        return []
    with log_path.open(encoding="utf-8", errors="replace") as log:
        return [line.rstrip("\n") for line in deque(log, maxlen=count)]
