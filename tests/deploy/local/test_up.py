"""The command line as a user types it: real launcher, real Triton, real gateway, a toy variant."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from deploy.local.state import StateFolder
from deploy.local.triton_server import free_ports
from gateway.telemetry.tracing import names
from tests.deploy.local.test_process import is_running, wait_until
from tests.deploy.local.toy_repository import publish
from tests.gateway.telemetry.tracing.collector import collecting, collecting_over_http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORT_FIELDS = ("GATEWAY_HTTP", "GATEWAY_GRPC", "TRITON_HTTP", "TRITON_GRPC", "TRITON_METRICS")
READY_TIMEOUT_S = 60.0


@dataclass
class Workplace:
    """A workspace with ports of its own, and the commands in it."""

    folder: Path
    environment: dict[str, str]

    @property
    def output_path(self) -> Path:
        return self.folder / "output"

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder / "workspace" / "local")

    def output(self) -> str:
        return self.output_path.read_text(encoding="utf-8")

    def pids(self) -> dict[str, int]:
        state = self.state.read()
        return {service.name: service.pid for service in state.services} if state else {}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "deploy.local", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def up(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.output_path.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "deploy.local", "up", "--sample", *arguments],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, words: str) -> None:
        wait_until(lambda: words in self.output(), READY_TIMEOUT_S)


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    ports = {
        f"DIPTYCH_LOCAL_{field}_PORT": str(port)
        for field, port in zip(PORT_FIELDS, free_ports(5), strict=True)
    }
    folders = {
        "DIPTYCH_LOCAL_WORKSPACE": str(tmp_path / "workspace"),
        "DIPTYCH_LOCAL_MODEL_REPOSITORY": str(tmp_path / "models"),
    }
    # As under make: the environment is not activated, its python is called by path.
    return Workplace(tmp_path, {**os.environ, **ports, **folders, "PATH": "/usr/bin:/bin"})


@pytest.fixture
def running(workplace: Workplace) -> Iterator[subprocess.Popen[bytes]]:
    with launched(workplace) as launcher:
        yield launcher


@contextmanager
def launched(workplace: Workplace, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    publish(workplace.folder / "models")
    sample = workplace.folder / "workspace" / "samples" / "toy"
    sample.mkdir(parents=True)
    (sample / "image.bin").write_bytes(b"12345")
    content = {"image": "image.bin", "text": "1234", "label": "odd"}
    (sample / "sample.json").write_text(json.dumps(content))
    launcher = workplace.up(*arguments)
    try:
        workplace.wait_for("Ctrl-C stops everything.")
        yield launcher
    finally:
        launcher.terminate()
        launcher.wait(timeout=30.0)


@pytest.mark.e2e
def test_up_classifies_recovers_and_stops_on_ctrl_c(
    workplace: Workplace, running: subprocess.Popen[bytes]
) -> None:
    assert '"label": "odd"' in workplace.output()
    assert "curl -F" in workplace.output()
    status = workplace.command("status")
    assert status.returncode == 0, status.stdout
    again = workplace.command("up")
    assert again.returncode == 2
    assert f"Already running here as process {running.pid}" in again.stderr

    before = workplace.pids()
    os.kill(before["triton"], signal.SIGKILL)
    workplace.wait_for("triton was started again")
    assert workplace.command("status").returncode in {0, 1}  # it may be ready again already
    workplace.wait_for("triton is ready again")
    after = workplace.pids()
    assert after["triton"] != before["triton"]
    assert after["gateway"] == before["gateway"]

    running.send_signal(signal.SIGINT)

    assert running.wait(timeout=30.0) == 0
    assert "Stopped." in workplace.output()
    assert not any(is_running(pid) for pid in after.values())
    assert workplace.command("status").returncode == 1


@pytest.mark.e2e
def test_up_with_trace_sends_spans_of_gateway_and_triton_in_one_trace(
    workplace: Workplace,
) -> None:
    with collecting() as collector, collecting_over_http() as (of_triton, url):
        workplace.environment |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "DIPTYCH_LOCAL_TRITON_TRACE_URL": url,
        }
        with launched(workplace, "--trace"):
            pass
    (call,) = collector.named(names.INFER)
    assert {each["traceId"] for each in of_triton} == {call.trace_id}
    ids = {each["spanId"] for each in of_triton}
    (root,) = [each for each in of_triton if each["parentSpanId"] not in ids]
    assert root["parentSpanId"] == call.span_id
    assert {"toy-both-" + "a" * 12, "toy-both-" + "a" * 12 + "-step"} <= {
        each["name"] for each in of_triton
    }


@pytest.mark.e2e
def test_launcher_killed_leaves_no_orphan(
    workplace: Workplace, running: subprocess.Popen[bytes]
) -> None:
    pids = workplace.pids()
    assert all(is_running(pid) for pid in pids.values())

    running.kill()

    wait_until(lambda: not any(is_running(pid) for pid in pids.values()), 20.0)
    assert workplace.state.read() is None


@pytest.mark.e2e
def test_down_stops_the_launcher_and_its_services(
    workplace: Workplace, running: subprocess.Popen[bytes]
) -> None:
    pids = workplace.pids()

    down = workplace.command("down")

    assert (down.returncode, down.stdout) == (0, "Stopped.\n")
    assert running.wait(timeout=5.0) == 0
    assert not any(is_running(pid) for pid in pids.values())


def test_up_with_obstacles_names_them_and_starts_nothing(workplace: Workplace) -> None:
    result = workplace.command("up", "--gateway-http-port", "70000")
    assert result.returncode == 2
    assert "DIPTYCH_LOCAL_GATEWAY_HTTP_PORT=70000" in result.stderr

    result = workplace.command("up")
    assert result.returncode == 2
    assert "make export" in result.stderr
    assert not (workplace.folder / "workspace" / "local" / "logs").exists()


def test_down_and_status_nothing_running_say_so(workplace: Workplace) -> None:
    down, status = workplace.command("down"), workplace.command("status")

    assert (down.returncode, down.stdout) == (0, "Nothing runs here.\n")
    assert (status.returncode, status.stdout) == (1, "Nothing runs here: `make run` starts it.\n")


@pytest.mark.parametrize("command", ["up", "status", "down"])
def test_help_of_each_command_has_an_example(workplace: Workplace, command: str) -> None:
    result = workplace.command(command, "--help")

    assert result.returncode == 0
    assert f"python -m deploy.local {command}" in result.stdout
