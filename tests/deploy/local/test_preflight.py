from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from deploy.local import bootstrap, preflight
from deploy.local.errors import PreflightError
from deploy.local.settings import Settings
from deploy.local.triton_server import free_ports
from tests.deploy.local.toy_repository import publish

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    gateway_http, gateway_grpc, triton_http, triton_grpc, triton_metrics = free_ports(5)
    return Settings(
        workspace=tmp_path / "workspace",
        model_repository=tmp_path / "models",
        gateway_http_port=gateway_http,
        gateway_grpc_port=gateway_grpc,
        triton_http_port=triton_http,
        triton_grpc_port=triton_grpc,
        triton_metrics_port=triton_metrics,
    )


def test_check_nothing_in_the_way_returns_what_to_load(settings: Settings) -> None:
    publish(settings.model_repository, "toy")

    assert set(preflight.check(settings).digests) == {"toy"}


def test_check_taken_port_and_empty_repository_are_told_together(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.triton_grpc_port))
        taken.listen()

        with pytest.raises(PreflightError) as caught:
            preflight.check(settings)

    [port_finding, repository_finding] = caught.value.findings
    assert f"Port {settings.triton_grpc_port} (Triton gRPC) is taken by process " in port_finding
    assert f"process {os.getpid()} " in port_finding
    assert "DIPTYCH_LOCAL_TRITON_GRPC_PORT" in port_finding
    assert "make export" in repository_finding


def test_port_findings_same_port_twice_names_both_settings(settings: Settings) -> None:
    twice = settings.model_copy(update={"triton_http_port": settings.gateway_http_port})

    [finding] = preflight.port_findings(twice)

    assert "DIPTYCH_LOCAL_TRITON_HTTP_PORT" in finding
    assert "DIPTYCH_LOCAL_GATEWAY_HTTP_PORT" in finding


def test_package_findings_missing_ones_are_named_in_one_sentence() -> None:
    [finding] = preflight.package_findings(["typer", "no-such-thing", "nor-this"])

    assert "no-such-thing, nor-this;" in finding.replace("nor-this, no-such", "no-such")
    assert "typer" not in finding
    assert "make venv" in finding


def test_memory_findings_too_little_names_both_figures() -> None:
    [finding] = preflight.memory_findings(3, available_bytes=600 * bootstrap.MIB)

    assert "600 MiB of memory are available and 992 MiB are needed" in finding
    assert preflight.memory_findings(3, available_bytes=2 * bootstrap.GIB) == []
