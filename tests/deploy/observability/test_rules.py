"""The alerts: promtool says that they fire and keep silent; here, that none was forgotten."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from deploy.observability.boards import BOARDS
from deploy.tools import program
from gateway.settings import Settings, env_name
from gateway.telemetry.metrics import Metrics

OBSERVABILITY = Path(__file__).parents[3] / "deploy" / "observability"
RULES = sorted((OBSERVABILITY / "rules").glob("*.yaml"))
RULE_TESTS = sorted((OBSERVABILITY / "rules" / "tests").glob("*.yaml"))
ALERTS = {
    rule["alert"]: rule
    for path in RULES
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
# Of kube-state-metrics, node_exporter and Triton: not ours to declare.
FOREIGN = re.compile(r"^(kube_|node_|nv_|up$)")


def rule_tests() -> list[dict[str, Any]]:
    """All checks of an alert, of all files."""
    return [
        check
        for path in RULE_TESTS
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for check in test.get("alert_rule_test", ())
    ]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(program("prometheus", "promtool")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_rules_are_valid() -> None:
    result = promtool("check", "rules", "--lint-fatal", *map(str, RULES))

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_keep_silent_as_written(path: Path) -> None:
    result = promtool("test", "rules", str(path))

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_has_a_case_that_fires_it_and_one_that_does_not(alert: str) -> None:
    outcomes = {bool(check["exp_alerts"]) for check in rule_tests() if check["alertname"] == alert}

    assert outcomes == {True, False}


def test_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    text = (OBSERVABILITY / "RUNBOOK.md").read_text(encoding="utf-8")

    assert re.findall(r"^### (\w+)$", text, re.MULTILINE) == list(
        dict.fromkeys(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    )
    assert set(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == set(ALERTS)
    links = re.findall(r"\]\(#(\w+)\)", text)
    assert set(links) <= {alert.lower() for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_says_what_how_urgent_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]

    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    anchor = f"deploy/observability/RUNBOOK.md#{alert.lower()}"
    assert rule["annotations"]["runbook_url"] == anchor


def test_runbook_and_alerts_agree_on_the_urgency() -> None:
    text = (OBSERVABILITY / "RUNBOOK.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^### (\w+)\n\n\*(\w+)\.\*", text, re.MULTILINE))

    assert stated == {name: rule["labels"]["severity"] for name, rule in ALERTS.items()}


def declared_metrics() -> set[str]:
    declared: set[str] = set()
    for family in Metrics(CollectorRegistry()).registry.collect():
        endings = {"counter": ("_total",), "histogram": ("_count", "_bucket", "_sum")}
        declared |= {family.name + ending for ending in endings.get(family.type, ("",))}
    return declared


def test_runbook_names_metrics_settings_and_panels_that_exist() -> None:
    text = (OBSERVABILITY / "RUNBOOK.md").read_text(encoding="utf-8")
    panels = {panel.title for board in BOARDS for panel in board.panels}

    assert set(re.findall(r"`(diptych_[a-z_]+)`", text)) <= declared_metrics()
    settings = set(re.findall(r"DIPTYCH_GATEWAY_[A-Z_]*[A-Z]\b", text))
    assert settings <= set(map(env_name, Settings.model_fields))
    assert set(re.findall(r"“(.+?)”", text)) <= panels


def test_rules_name_metrics_that_exist() -> None:
    declared = declared_metrics()
    rules = [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    recorded = {rule["record"] for rule in rules if "record" in rule}

    named = set()
    for rule in rules:
        named |= set(re.findall(r"\b(?:diptych|nv|kube|node)[:_][a-z0-9_:]+", rule["expr"]))

    assert {name for name in named if not FOREIGN.match(name)} <= declared | recorded
