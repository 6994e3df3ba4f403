"""What a running launcher leaves on disk for `status` and `down`.

The lock is the truth, the file the detail: the kernel takes the lock away with the launcher,
however that ended, while a file can be left behind by a launcher that was killed.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from deploy.local.errors import AlreadyRunningError
from deploy.local.service import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLAIM_ATTEMPTS = 5
_CLAIM_PAUSE_S = 0.1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServiceState(_Frozen):
    """One supervised service. Times are seconds since the epoch."""

    name: str
    pid: int
    started_at_s: float
    restarts: int
    endpoint: Endpoint
    log_path: Path


class LauncherState(_Frozen):
    """What the launcher runs."""

    gateway_url: str
    variants: dict[str, str]
    services: tuple[ServiceState, ...]


class StateFolder:
    """The folder of one workspace's launcher: its lock and its state file."""

    def __init__(self, folder: Path) -> None:
        self._state_path = folder / "state.json"
        self._lock_path = folder / "lock"

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Makes this process the workspace's one launcher while the block runs.

        Raises:
            AlreadyRunningError: there is another.
        """
        self._lock_path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock_path.open("a", encoding="ascii") as lock:
            for _ in range(_CLAIM_ATTEMPTS):
                if _has_locked(lock.fileno(), fcntl.LOCK_EX):
                    break
                time.sleep(_CLAIM_PAUSE_S)  # it may be `status`, which looks for a moment
            else:
                raise AlreadyRunningError(self.launcher_pid())
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            self._state_path.unlink(missing_ok=True)  # of a launcher that was killed
            try:
                yield
            finally:
                self._state_path.unlink(missing_ok=True)
                lock.truncate(0)

    def launcher_pid(self) -> int | None:
        """The process id of the launcher that runs here; None when none does."""
        if not self._lock_path.exists():
            return None
        with self._lock_path.open(encoding="ascii") as lock:  # closing it gives the lock back
            if _has_locked(lock.fileno(), fcntl.LOCK_SH):
                return None
            return int(lock.read() or 0) or None

    def read(self) -> LauncherState | None:
        """Reads what the launcher wrote last; None when it wrote nothing yet or none runs."""
        if self.launcher_pid() is None:
            return None
        try:
            text = self._state_path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return LauncherState.model_validate_json(text)

    def write(self, state: LauncherState) -> None:
        """Replaces the state, in one step."""
        descriptor, name = tempfile.mkstemp(dir=self._state_path.parent, prefix=".state-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(state.model_dump_json(indent=2))
        Path(name).replace(self._state_path)


def _has_locked(descriptor: int, kind: int) -> bool:
    """Takes a lock if that can be done without waiting."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
