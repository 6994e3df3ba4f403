"""Prometheus and Alertmanager take their configuration, and route as it is meant."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.tools import program

OBSERVABILITY = Path(__file__).parents[3] / "deploy" / "observability"


def run(tool: str, name: str, *arguments: str) -> str:
    result = subprocess.run(
        [str(program(tool, name)), *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def alertmanager_config(tmp_path: Path) -> Path:
    """The configuration as Debian's Alertmanager 0.25 reads it, which knows no `url_file` yet."""
    config = (OBSERVABILITY / "alertmanager.yml").read_text(encoding="utf-8")
    path = tmp_path / "alertmanager.yml"
    path.write_text(config.replace("url_file: /run/secrets/", "url: http://localhost/"))
    return path


def test_prometheus_takes_its_configuration_with_all_rules() -> None:
    run("prometheus", "promtool", "check", "config", str(OBSERVABILITY / "prometheus.yml"))


@pytest.mark.parametrize("severity", ["page", "ticket"])
def test_alertmanager_routes_by_urgency(alertmanager_config: Path, severity: str) -> None:
    options = ("config", "routes", "test", f"--config.file={alertmanager_config}")

    receiver = run("prometheus-alertmanager", "amtool", *options, f"severity={severity}")

    assert receiver.split() == [severity]


def test_alertmanager_hides_only_alerts_that_exist() -> None:
    config = yaml.safe_load((OBSERVABILITY / "alertmanager.yml").read_text(encoding="utf-8"))
    rules = "".join(path.read_text() for path in (OBSERVABILITY / "rules").glob("*.yaml"))

    for inhibition in config["inhibit_rules"]:
        for matcher in inhibition["source_matchers"] + inhibition["target_matchers"]:
            for name in matcher.partition('"')[2].rstrip('"').split("|"):
                assert f"alert: {name.removesuffix('.*')}" in rules, name
