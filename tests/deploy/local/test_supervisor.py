"""The supervisor with real processes; only the clock is the test's own."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from deploy.local.errors import ServiceExitedError, ServiceNotReadyError
from deploy.local.service import Endpoint, Launch, Service
from deploy.local.supervisor import Backoff, Died, Incident, Recovered, Restarted, Supervisor
from deploy.local.triton_server import free_ports
from tests.deploy.local.test_process import is_running, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WEB_SERVER = """
import http.server, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("stopped", sys.argv[2], flush=True)))
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
SLEEPER = "import time; time.sleep(60)"
CRASHER = "import sys; print('out of luck'); sys.exit(3)"


@dataclass(kw_only=True)
class Script(Service):
    """A service that is a few lines of Python."""

    name: ClassVar[str] = "script"

    program: str
    port: int
    label: str = ""

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint({"HTTP": self.port}, "127.0.0.1", self.port, "/ready")

    def launch(self) -> Launch:
        command = (sys.executable, "-c", self.program, str(self.port), self.label)
        return Launch(command, os.environ)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def doze() -> None:
    time.sleep(0.02)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def web(tmp_path: Path, port: int, clock: Clock) -> Iterator[Supervisor]:
    service = Script(program=WEB_SERVER, port=port, log_path=tmp_path / "web.log")
    supervisor = Supervisor([service], Backoff(first_s=1.0, max_s=5.0), clock)
    supervisor.start()
    supervisor.wait_ready(10.0, doze)
    yield supervisor
    supervisor.stop()


def kill(supervisor: Supervisor) -> None:
    service = supervisor.watches[0].service
    assert service.pid is not None
    os.kill(service.pid, signal.SIGKILL)
    wait_until(lambda: service.exit_code() is not None)


def next_incident(supervisor: Supervisor) -> Incident:
    found: list[Incident] = []

    def has_found() -> bool:
        found.extend(supervisor.tend())
        return bool(found)

    wait_until(has_found)
    return found[0]


@pytest.mark.parametrize(
    ("deaths", "pause_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 10.0), (5000, 10.0)]
)
def test_backoff_pause_doubles_up_to_the_longest(deaths: int, pause_s: float) -> None:
    assert Backoff(first_s=0.5, max_s=10.0).pause_s(deaths) == pause_s


def test_tend_service_that_was_killed_comes_back_after_the_pause(
    web: Supervisor, clock: Clock
) -> None:
    first_pid = web.watches[0].service.pid

    kill(web)

    assert list(web.tend()) == [Died("script", -signal.SIGKILL, restart_in_s=1.0)]
    clock.now_s = 0.9
    assert list(web.tend()) == []
    clock.now_s = 1.0
    [restarted] = web.tend()
    assert isinstance(restarted, Restarted)
    assert restarted.pid != first_pid
    assert web.watches[0].restarts == 1
    assert isinstance(next_incident(web), Recovered)
    assert list(web.tend()) == []


def test_tend_second_death_in_a_row_waits_twice_as_long(web: Supervisor, clock: Clock) -> None:
    kill(web)
    list(web.tend())
    clock.now_s = 1.0
    list(web.tend())

    kill(web)

    assert list(web.tend()) == [Died("script", -signal.SIGKILL, restart_in_s=2.0)]


def test_tend_death_after_a_stable_minute_counts_as_the_first(
    web: Supervisor, clock: Clock
) -> None:
    kill(web)
    list(web.tend())
    clock.now_s = 1.0
    list(web.tend())
    clock.now_s = 62.0

    kill(web)

    assert list(web.tend()) == [Died("script", -signal.SIGKILL, restart_in_s=1.0)]


def test_wait_ready_service_that_exits_tells_code_and_last_words(tmp_path: Path, port: int) -> None:
    service = Script(program=CRASHER, port=port, log_path=tmp_path / "log")
    supervisor = Supervisor([service], Backoff(1.0, 5.0))
    supervisor.start()

    with pytest.raises(ServiceExitedError) as caught:
        supervisor.wait_ready(10.0, doze)

    assert caught.value.exit_code == 3
    assert caught.value.last_lines == ("out of luck",)
    assert str(tmp_path / "log") in str(caught.value)


def test_wait_ready_service_that_never_is_gives_up(tmp_path: Path, port: int) -> None:
    service = Script(program=SLEEPER, port=port, log_path=tmp_path / "log")
    supervisor = Supervisor([service], Backoff(1.0, 5.0))
    supervisor.start()

    with pytest.raises(ServiceNotReadyError, match="script is not ready after 0 s"):
        supervisor.wait_ready(0.1, doze)

    supervisor.stop()
    assert service.exit_code() == -signal.SIGTERM


def test_stop_ends_the_last_service_first_and_leaves_none(tmp_path: Path) -> None:
    log_path = tmp_path / "both.log"
    services = [
        Script(program=WEB_SERVER, port=port, log_path=log_path, label=label)
        for port, label in zip(free_ports(2), ["first", "second"], strict=True)
    ]
    supervisor = Supervisor(services, Backoff(1.0, 5.0))
    supervisor.start()
    supervisor.wait_ready(10.0, doze)

    supervisor.stop()

    said = [line for line in log_path.read_text().splitlines() if line.startswith("stopped")]
    assert said == ["stopped second", "stopped first"]
    assert not any(is_running(service.pid or 0) for service in services)


def test_service_context_manager_stops_it_when_it_is_not_ready(tmp_path: Path, port: int) -> None:
    service = Script(program=SLEEPER, port=port, log_path=tmp_path / "log", ready_timeout_s=0.1)

    with pytest.raises(ServiceNotReadyError), service:
        pytest.fail("entered although it was not ready")

    assert service.exit_code() == -signal.SIGTERM


def test_free_ports_are_distinct_and_can_be_bound() -> None:
    ports = free_ports(5)

    assert len(set(ports)) == 5
    for each in ports:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", each))
