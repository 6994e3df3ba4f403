from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deploy.local import shutdown
from deploy.local.errors import AlreadyRunningError
from deploy.local.service import Endpoint
from deploy.local.state import LauncherState, ServiceState, StateFolder
from tests.deploy.local.test_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLAIMANT = """
import pathlib, sys, time
from deploy.local.state import StateFolder
from deploy.local.stop_signals import StopRequested, stop_signals
with StateFolder(pathlib.Path(sys.argv[1])).claim(), stop_signals() as signals:
    try:
        while True:
            signals.pause(0.02)
    except StopRequested:
        if sys.argv[2] == "deaf":
            time.sleep(60)
"""


def state(log_path: Path) -> LauncherState:
    endpoint = Endpoint({"HTTP": 8000}, "127.0.0.1", 8000, "/ready")
    service = ServiceState(
        name="triton", pid=1, started_at_s=2.0, restarts=3, endpoint=endpoint, log_path=log_path
    )
    return LauncherState(
        gateway_url="http://127.0.0.1:8080", variants={"toy": "a" * 64}, services=(service,)
    )


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "local")


@pytest.fixture
def claimant(
    tmp_path: Path, folder: StateFolder, request: pytest.FixtureRequest
) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that is the launcher; `deaf` when the test asks for it."""
    temper = getattr(request, "param", "obedient")
    process = subprocess.Popen([sys.executable, "-c", CLAIMANT, str(tmp_path / "local"), temper])
    wait_until(lambda: folder.launcher_pid() is not None)
    yield process
    process.kill()
    process.wait()


def test_state_written_is_read_back_while_claimed(folder: StateFolder, tmp_path: Path) -> None:
    with folder.claim():
        assert folder.read() is None
        folder.write(state(tmp_path / "log"))
        folder.write(state(tmp_path / "newer.log"))

        assert folder.read() == state(tmp_path / "newer.log")
        assert folder.launcher_pid() == os.getpid()

    assert folder.read() is None
    assert folder.launcher_pid() is None
    assert {path.name for path in (tmp_path / "local").iterdir()} == {"lock"}


def test_claim_second_launcher_is_refused_with_the_first_ones_pid(
    folder: StateFolder, claimant: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(AlreadyRunningError) as caught, folder.claim():
        pytest.fail("two launchers")

    assert caught.value.pid == claimant.pid


def test_claim_after_a_launcher_was_killed_is_free_and_clean(
    folder: StateFolder, claimant: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    folder.write(state(tmp_path / "log"))
    claimant.kill()
    claimant.wait()

    assert folder.launcher_pid() is None
    assert folder.read() is None
    with folder.claim():
        assert folder.read() is None


def test_stop_ends_the_launcher(folder: StateFolder, claimant: subprocess.Popen[bytes]) -> None:
    assert shutdown.stop(folder, stop_grace_s=5.0) is True

    assert claimant.wait(timeout=5.0) == 0
    assert folder.launcher_pid() is None


@pytest.mark.parametrize("claimant", ["deaf"], indirect=True)
def test_stop_launcher_that_hangs_is_killed(
    folder: StateFolder, claimant: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "_MARGIN_S", 0.3)

    assert shutdown.stop(folder, stop_grace_s=0.1) is True

    assert claimant.wait(timeout=5.0) < 0


def test_stop_nothing_running_says_so(folder: StateFolder) -> None:
    assert shutdown.stop(folder, stop_grace_s=1.0) is False
