"""The real Triton binary, serving a python model of a few lines."""

from __future__ import annotations

import json
import os
import signal
import sysconfig
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import tritonclient.grpc as triton_grpc

from deploy.local.errors import ServiceExitedError
from deploy.local.triton_server import SHARED_MEMORY, BundledTriton, free_ports
from tests.deploy.local.echo_repository import BROKEN_MODEL, write_model
from tests.deploy.local.test_process import is_running, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def _environment_not_activated(monkeypatch: pytest.MonkeyPatch) -> None:
    # As under make, which calls .venv/bin/python: nothing else tells Triton of this environment.
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def bundled_triton(folder: Path, *models: str) -> BundledTriton:
    http_port, grpc_port, metrics_port = free_ports(3)
    return BundledTriton(
        repository=folder / "models",
        models=models,
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        log_path=folder / "logs" / "triton.log",
    )


def echo(triton: BundledTriton, text: str) -> tuple[str, dict[str, Any]]:
    """Sends a text; returns the reply and the facts of the model's process."""
    with triton_grpc.InferenceServerClient(triton.grpc_url) as client:
        sent = triton_grpc.InferInput("SENT", [1], "BYTES")
        sent.set_data_from_numpy(np.array([text.encode()], dtype=object))
        result = client.infer("echo", [sent], client_timeout=10.0)
    facts: dict[str, Any] = json.loads(result.as_numpy("FACTS")[0])
    return result.as_numpy("REPLY")[0].decode(), facts


def shared_memory_of(triton: BundledTriton) -> list[Path]:
    return list(SHARED_MEMORY.glob(f"diptych-{triton.host}-{triton.grpc_port}-*"))


def test_bundled_triton_serves_with_this_environments_packages_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    write_model(tmp_path / "models", "echo")
    write_model(tmp_path / "models", "unwanted", BROKEN_MODEL)

    with bundled_triton(tmp_path, "echo") as triton:
        reply, facts = echo(triton, "grüß dich")
        family = [*psutil.Process(triton.pid).children(recursive=True), psutil.Process(triton.pid)]
        assert shared_memory_of(triton)

    assert reply == "grüß dich"
    assert facts["numpy"].startswith(sysconfig.get_paths()["purelib"])
    assert facts["standard_library"] == sysconfig.get_paths()["stdlib"]
    assert triton.exit_code() == 0
    assert len(family) >= 2
    assert not any(process.is_running() for process in family)
    assert not shared_memory_of(triton)


def test_bundled_triton_killed_is_started_again_with_the_old_shared_memory_freed(
    tmp_path: Path,
) -> None:
    write_model(tmp_path / "models", "echo")

    with bundled_triton(tmp_path, "echo") as triton:
        _, facts = echo(triton, "before")
        regions = set(shared_memory_of(triton))
        assert triton.pid is not None
        os.kill(triton.pid, signal.SIGKILL)
        wait_until(lambda: triton.exit_code() == -signal.SIGKILL)
        wait_until(lambda: not is_running(facts["pid"]))

        triton.start()
        triton.wait_ready(30.0)

        assert echo(triton, "after")[0] == "after"
        assert regions.isdisjoint(shared_memory_of(triton))


def test_bundled_triton_model_that_does_not_load_ends_it_and_says_why(tmp_path: Path) -> None:
    write_model(tmp_path / "models", "echo")
    write_model(tmp_path / "models", "broken", BROKEN_MODEL)
    triton = bundled_triton(tmp_path, "echo", "broken")

    with pytest.raises(ServiceExitedError) as caught, triton:
        pytest.fail("served half a repository")

    assert caught.value.exit_code != 0
    assert "this model is broken on purpose" in triton.log_path.read_text()
    assert not shared_memory_of(triton)
