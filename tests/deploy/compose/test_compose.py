"""docker-compose.yml, read by the real Compose; and what Compose does not look at."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose.__main__ import make_secrets
from deploy.tools import program
from gateway.identity.keys_file import read_keys
from gateway.settings import Settings, env_name

ROOT = Path(__file__).parents[3]
ONE_SHOT = {"exporter", "exporter-gpu", "migrate"}
PROFILES = ("cpu", "gpu")


def compose(*arguments: str, has_password: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    if has_password:
        environment["DIPTYCH_POSTGRES_PASSWORD"] = "any"
    command = [str(program("docker-compose")), "--env-file", "/dev/null", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module", params=PROFILES)
def services(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The services of one profile, resolved."""
    result = compose("--profile", request.param, "config", "--format", "json")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    resolved: dict[str, Any] = json.loads(result.stdout)["services"]
    return resolved


def test_compose_without_a_password_says_which_command_makes_it() -> None:
    result = compose("--profile", "cpu", "config", "-q", has_password=False)

    assert result.returncode != 0
    assert "make compose-secrets" in result.stderr


def test_services_of_the_issue_are_there(services: dict[str, Any]) -> None:
    watching = {"prometheus", "alertmanager", "grafana", "locust", "postgres"}

    assert watching | {"exporter", "triton-cpu", "triton-cpu-shm", "migrate"} <= set(services)
    assert len({"gateway", "gateway-gpu"} & set(services)) == 1


def test_only_the_gpu_profile_reserves_a_gpu() -> None:
    for profile, wanted in (("cpu", []), ("gpu", ["triton-gpu"])):
        result = compose("--profile", profile, "config", "--format", "json")
        reserving = [
            name
            for name, service in json.loads(result.stdout)["services"].items()
            if service["deploy"]["resources"].get("reservations", {}).get("devices")
        ]
        assert reserving == wanted


def test_every_service_is_bounded_and_hardened(services: dict[str, Any]) -> None:
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) >= {"cpus", "memory", "pids"}, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name
        assert re.search(r":v?\d+\.\d+", service["image"]), name
        user = str(service.get("user", "image's own"))
        assert not user.startswith(("0", "root")), name


def test_everything_waits_for_health_and_not_for_mere_starts(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for other, wait in service.get("depends_on", {}).items():
            # A sidecar needs the namespace of its neighbour, which exists from the start.
            is_sidecar = service.get("ipc") == f"service:{other}"
            wanted = (
                "service_started"
                if is_sidecar
                else "service_completed_successfully"
                if other in ONE_SHOT
                else "service_healthy"
            )
            assert wait["condition"] == wanted, (name, other)
            if wanted == "service_healthy":
                assert has_health_check(services[other]), other


def has_health_check(service: dict[str, Any]) -> bool:
    """In the file, or in the image that is built from a Dockerfile here."""
    if service.get("healthcheck", {}).get("test"):
        return True
    if "build" not in service:
        return False
    dockerfile = ROOT / service["build"]["dockerfile"]
    return "HEALTHCHECK --interval" in dockerfile.read_text(encoding="utf-8")


def test_tritons_have_shared_memory_that_is_watched(services: dict[str, Any]) -> None:
    tritons = [name for name in services if re.fullmatch(r"triton-[cg]pu", name)]

    for name in tritons:
        assert int(services[name]["shm_size"]) >= 512 * 2**20
        assert services[name]["ipc"] == "shareable"
        assert services[f"{name}-shm"]["ipc"] == f"service:{name}"


def test_ports_are_published_on_loopback_alone(services: dict[str, Any]) -> None:
    published = {
        port["published"]: port["host_ip"]
        for service in services.values()
        for port in service.get("ports", ())
    }

    assert set(published) == {"8080", "8081", "9090", "9093", "3000", "8089"}
    assert set(published.values()) == {"127.0.0.1"}


def test_only_the_gateway_and_the_watchers_reach_triton(services: dict[str, Any]) -> None:
    reaching = {name for name, service in services.items() if "models" in service["networks"]}

    assert {re.sub("-[cg]pu$", "", name) for name in reaching} == {"triton", "gateway"}


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")

    for line in text.splitlines():
        if re.search(r"(?i)(password|token|secret|_key)\w*:\s*\S", line):
            value = line.split(":", 1)[1].strip()
            assert value.startswith(("${", "/run/secrets/", "[", "{file:")), line


@pytest.fixture(scope="module")
def secret_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All secrets, made beside an `.env` that had a line already."""
    folder = tmp_path_factory.mktemp("compose")
    (folder / ".env").write_text("COMPOSE_PROFILES=cpu\n", encoding="utf-8")
    make_secrets(folder / "secrets", folder / ".env", say=lambda _: None)
    return folder / "secrets"


def test_files_that_are_mounted_exist_or_are_made(
    services: dict[str, Any], secret_folder: Path
) -> None:
    config = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))

    binds = [
        volume["source"]
        for service in services.values()
        for volume in service.get("volumes", ())
        if volume["type"] == "bind"
    ]
    assert [bind for bind in binds if not Path(bind).exists()] == []
    made = {f"deploy/compose/secrets/{path.name}" for path in secret_folder.iterdir()}
    assert {secret["file"] for secret in config["secrets"].values()} == made


def test_secrets_that_exist_stay_and_keys_are_good(secret_folder: Path) -> None:
    folder, env_file = secret_folder, secret_folder.with_name(".env")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    password = env_file.read_text(encoding="utf-8")

    make_secrets(folder, env_file, say=lambda _: None)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert env_file.read_text(encoding="utf-8") == password
    assert password.startswith("COMPOSE_PROFILES=cpu\nDIPTYCH_POSTGRES_PASSWORD=")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert read_keys(folder / "api_keys.toml", is_exposed=True)


def test_asking_for_help_makes_no_secret() -> None:
    command = (sys.executable, "-m", "deploy.compose", "--help")
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "makes the secrets of docker-compose.yml" in told
    assert "Secrets are in" not in told


def test_gateway_is_given_settings_that_it_knows(services: dict[str, Any]) -> None:
    known = {env_name(field) for field in Settings.model_fields}

    for name in {"gateway", "gateway-gpu", "migrate"} & set(services):
        variables = {each for each in services[name]["environment"] if each.startswith("DIPTYCH")}
        assert variables <= known


def test_prometheus_scrapes_services_that_exist() -> None:
    config = yaml.safe_load((ROOT / "deploy/observability/prometheus.yml").read_text("utf-8"))
    named = {
        name
        for job in config["scrape_configs"]
        for discovery in job["dns_sd_configs"]
        for name in discovery["names"]
    }
    result = compose("--profile", "cpu", "--profile", "gpu", "config", "--format", "json")

    assert named <= set(json.loads(result.stdout)["services"])
