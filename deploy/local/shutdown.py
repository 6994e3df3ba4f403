"""`down`: ends a launcher that runs elsewhere, and with it everything it started."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.local.state import ServiceState, StateFolder

_POLL_S = 0.1
_MARGIN_S = 5.0


def stop(folder: StateFolder, stop_grace_s: float) -> bool:
    """Asks the launcher to stop and waits until all its processes are gone.

    Args:
        folder: of the workspace.
        stop_grace_s: how long one service may take, in seconds. After that time for each, and some
            more, the launcher is killed; the kernel then ends its services.

    Returns:
        Whether there was anything to stop.
    """
    launcher_pid = folder.launcher_pid()
    if launcher_pid is None:
        return False
    state = folder.read()
    services = state.services if state else ()
    deadline_s = time.monotonic() + stop_grace_s * len(services) + _MARGIN_S
    _send(launcher_pid, signal.SIGTERM)
    while folder.launcher_pid() == launcher_pid:
        if time.monotonic() >= deadline_s:
            _send(launcher_pid, signal.SIGKILL)
        time.sleep(_POLL_S)
    # A launcher that was killed leaves services that are still about to end.
    psutil.wait_procs(_processes(services), timeout=stop_grace_s)
    return True


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it went by itself
        os.kill(pid, number)


def _processes(services: Iterable[ServiceState]) -> list[psutil.Process]:
    processes = []
    for service in services:
        with suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(service.pid))
    return processes
