"""What Prometheus and Grafana are told."""

from __future__ import annotations

import json

import pytest
import yaml

from deploy.helm.bundle import OBSERVABILITY
from tests.deploy.helm.rendered import chart, only, pod_spec

SHARED_MEMORY = "/dev/shm"  # noqa: S108  # not a temporary file


def test_nothing_of_an_operator_is_installed_unless_asked_for() -> None:
    assert not list(chart().of_kind("ServiceMonitor", "PrometheusRule"))


def test_gateway_and_tritons_are_scraped_under_the_names_that_the_rules_go_by() -> None:
    jobs = {
        relabeling["replacement"]
        for monitor in chart("monitoring").of_kind("ServiceMonitor")
        for endpoint in monitor["spec"]["endpoints"]
        for relabeling in endpoint["relabelings"]
        if relabeling["targetLabel"] == "job"
    }

    assert jobs == {"diptych-gateway", "diptych-triton", "diptych-shm"}


def test_shared_memory_is_watched_where_it_is_mounted() -> None:
    triton, exporter = pod_spec(chart("monitoring"), "-triton-cpu")["containers"]

    mounts = {each["mountPath"]: each["name"] for each in triton["volumeMounts"]}
    assert exporter["volumeMounts"] == [
        {"name": mounts[SHARED_MEMORY], "mountPath": SHARED_MEMORY, "readOnly": True}
    ]


@pytest.mark.parametrize(
    ("values", "is_watched"),
    [
        ((), False),
        (("prometheus.rules.enabled=true",), True),  # one of them is about it
        (("prometheus.sharedMemory.enabled=true",), True),
        (("prometheus.rules.enabled=true", "prometheus.sharedMemory.enabled=false"), False),
    ],
    ids=["default", "rules", "asked for", "rules, declined"],
)
def test_shared_memory_is_watched_with_the_rules_unless_the_values_say_otherwise(
    values: tuple[str, ...], is_watched: bool
) -> None:
    containers = pod_spec(chart("default", *values), "-triton-cpu")["containers"]

    assert [each["name"] for each in containers] == ["triton", "shared-memory"][: 1 + is_watched]


def test_metrics_keep_labels_that_the_operator_has_too() -> None:
    endpoint = only(chart("monitoring"), "ServiceMonitor", "-gateway")["spec"]["endpoints"][0]

    # `endpoint` is a Triton's address in the gateway's metrics, and a port's name to the operator.
    assert endpoint["honorLabels"] is True


def test_every_file_of_rules_becomes_an_object_with_the_same_groups() -> None:
    originals = [
        yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for path in sorted((OBSERVABILITY / "rules").glob("*.yaml"))
    ]

    found = chart("monitoring", 'prometheus.rules.runbookUrl=""')
    rendered = [each["spec"]["groups"] for each in found.of_kind("PrometheusRule")]

    assert originals
    assert rendered == originals


def test_alerts_link_to_the_runbook_where_those_on_call_can_open_it() -> None:
    links = [
        rule["annotations"]["runbook_url"]
        for each in chart("monitoring").of_kind("PrometheusRule")
        for group in each["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]

    assert links
    address = "https://runbooks.example.com/diptych/RUNBOOK.md#diptych"
    assert [link for link in links if not link.startswith(address)] == []


def test_every_dashboard_becomes_a_config_map_that_grafana_finds() -> None:
    originals = {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in (OBSERVABILITY / "dashboards").glob("*.json")
    }
    found = {
        name: json.loads(content)
        for config in chart("monitoring").of_kind("ConfigMap")
        if config["metadata"]["labels"].get("grafana_dashboard") == "1"
        for name, content in config["data"].items()
    }

    assert found == originals
