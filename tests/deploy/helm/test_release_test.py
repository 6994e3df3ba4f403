"""What `helm test` runs, run as it stands against a gateway of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from deploy.local.gateway_server import GatewayServer
from deploy.local.triton_server import free_ports
from tests.deploy.helm.rendered import chart, only
from tests.gateway.key_files import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayServer, str]]:
    """A gateway in front of a stand-in for Triton, and a key for it."""
    folder = tmp_path_factory.mktemp("release")
    triton_port, http, grpc = free_ports(3)
    keys = Keys(folder)
    key = keys.add("test")
    with ExitStack() as stack:
        triton = subprocess.Popen(
            [sys.executable, "-m", "tests.gateway.fake_triton", str(triton_port)],
            stdout=subprocess.DEVNULL,
        )
        stack.callback(triton.wait)
        stack.callback(triton.kill)
        gateway = GatewayServer(
            host=HOST,
            probe_host=HOST,
            http_port=http,
            grpc_port=grpc,
            triton_grpc_url=f"{HOST}:{triton_port}",
            variables={"DIPTYCH_GATEWAY_API_KEYS_FILE": str(keys.path)},
            log_path=folder / "gateway.log",
        )
        stack.enter_context(gateway)
        yield gateway, key


def test_release_that_answers_passes_its_test(
    serving: tuple[GatewayServer, str], tmp_path: Path
) -> None:
    gateway, key = serving

    result = run_test(gateway, tmp_path, key)

    assert result.returncode == 0, result.stdout + result.stderr
    assert [line[:6].strip() for line in result.stdout.splitlines()] == ["ok"] * 4


def test_release_is_tested_without_a_key_as_far_as_that_goes(
    serving: tuple[GatewayServer, str], tmp_path: Path
) -> None:
    result = run_test(serving[0], tmp_path, key=None)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "refused without a key: 401" in result.stdout
    assert "classified" not in result.stdout


def test_key_that_is_not_good_fails_the_test(
    serving: tuple[GatewayServer, str], tmp_path: Path
) -> None:
    result = run_test(serving[0], tmp_path, key="diptych_test_wrong")

    assert result.returncode == 1
    assert "FAILED classified" in result.stdout


def test_release_that_does_not_answer_fails_the_test(tmp_path: Path) -> None:
    port, other = free_ports(2)

    result = execute(tmp_path, f"{HOST}:{port}", f"{HOST}:{other}", key=None)

    assert result.returncode == 1
    assert "FAILED" in result.stderr


def run_test(
    gateway: GatewayServer, folder: Path, key: str | None
) -> subprocess.CompletedProcess[str]:
    return execute(folder, f"{HOST}:{gateway.http_port}", f"{HOST}:{gateway.grpc_port}", key)


def execute(
    folder: Path, http: str, grpc: str, key: str | None
) -> subprocess.CompletedProcess[str]:
    """Runs the container's command with its own script, on other addresses."""
    found = chart("private-registry")
    (container,) = only(found, "Pod", "-test")["spec"]["containers"]
    script = folder / "ask.py"
    script.write_text(only(found, "ConfigMap", "-test")["data"]["ask.py"], encoding="utf-8")
    replaced: dict[str, Any] = {
        "python": sys.executable,
        "/etc/diptych/test/ask.py": str(script),
        "--http=classify-gateway:8080": f"--http={http}",
        "--grpc=classify-gateway:8081": f"--grpc={grpc}",
    }
    command = [replaced.pop(each, each) for each in (*container["command"], *container["args"])]
    assert not replaced
    (variable,) = container["env"]
    environment = {**os.environ, **({variable["name"]: key} if key else {})}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
