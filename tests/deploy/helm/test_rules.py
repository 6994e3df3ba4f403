"""Each rule passes the chart as it is, and finds the fault that it is there for."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from deploy.helm.chart import value_files
from deploy.helm.objects import Chart
from deploy.helm.quantities import amount
from deploy.helm.rules import RULES, judge
from tests.deploy.helm.rendered import chart

if TYPE_CHECKING:
    from collections.abc import Callable


def container(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["spec"]["template"]["spec"]["containers"][0]
    return found


def trigger(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["spec"]["triggers"][0]
    return found


FAULTS: list[tuple[str, str, str, str, Any]] = [
    (
        "workloads-select-their-pods",
        "default",
        "Deployment",
        "-gateway",
        lambda d: d["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/component": "x"}),
    ),
    (
        "selectors-match-pods",
        "default",
        "PodDisruptionBudget",
        "-gateway",
        lambda d: d["spec"]["selector"]["matchLabels"].update({"diptych/pool": "gpu"}),
    ),
    (
        "spreading-counts-own-pods",
        "pools",
        "Deployment",
        "-triton-cpu",
        lambda d: d["spec"]["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"][
            "matchLabels"
        ].pop("diptych/pool"),
    ),
    (
        "services-reach-ports",
        "default",
        "Service",
        "-triton-cpu",
        lambda d: d["spec"]["ports"][0].update(targetPort="grcp"),
    ),
    (
        "probes-reach-ports",
        "default",
        "Deployment",
        "-gateway",
        lambda d: container(d)["livenessProbe"]["httpGet"].update(port="admin"),
    ),
    (
        "probes-reach-ports",
        "default",
        "Deployment",
        "-gateway",
        lambda d: container(d).pop("startupProbe"),
    ),
    (
        "monitors-find-services",
        "monitoring",
        "ServiceMonitor",
        "-triton",
        lambda d: d["spec"]["endpoints"][0].update(port="http"),
    ),
    (
        "alerts-find-their-jobs",
        "monitoring",
        "ServiceMonitor",
        "-triton",
        lambda d: d["spec"]["endpoints"].pop(1),  # that of /dev/shm
    ),
    (
        "routes-lead-to-services",
        "gateway-api",
        "GRPCRoute",
        "-gateway",
        lambda d: d["spec"]["rules"][0]["backendRefs"][0].update(port=9000),
    ),
    (
        "names-are-unique",
        "default",
        "Service",
        "-headless",
        lambda d: d["metadata"].update(name="demo-diptych-gateway"),
    ),
    (
        "mounts-have-volumes",
        "default",
        "Deployment",
        "-gateway",
        lambda d: container(d)["volumeMounts"].pop(),
    ),
    (
        "own-config-maps-exist",
        "experiments",
        "ConfigMap",
        "-experiments",
        lambda d: d["metadata"].update(name="other"),
    ),
    (
        "secrets-are-the-users",
        "experiments",
        "ConfigMap",
        "-experiments",
        lambda d: d.update(kind="Secret"),
    ),
    (
        "gateway-asks-tritons-that-are-there",
        "default",
        "Service",
        "-triton-cpu",
        lambda d: d["spec"].pop("clusterIP"),
    ),
    (
        "gpus-are-whole",
        "gpu-only",
        "Deployment",
        "-triton-gpu",
        lambda d: container(d)["resources"]["limits"].update({"nvidia.com/gpu": 0.5}),
    ),
    (
        "gpu-pool-asks-for-gpus",
        "gpu-only",
        "Deployment",
        "-triton-gpu",
        lambda d: container(d)["resources"]["limits"].pop("nvidia.com/gpu"),
    ),
    (
        "memory-is-bounded",
        "default",
        "Deployment",
        "-gateway",
        lambda d: container(d)["resources"]["requests"].update(memory="3Gi"),
    ),
    (
        "scratch-is-bounded",
        "default",
        "Deployment",
        "-triton-cpu",
        lambda d: container(d)["resources"]["limits"].update(memory="200Mi"),
    ),
    (
        "triton-has-shared-memory",
        "default",
        "Deployment",
        "-triton-cpu",
        lambda d: container(d)["volumeMounts"][1].update(mountPath="/shm"),
    ),
    (
        "grace-covers-draining",
        "default",
        "Deployment",
        "-gateway",
        lambda d: d["spec"]["template"]["spec"].update(terminationGracePeriodSeconds=40),
    ),
    (
        "triton-hears-last",
        "default",
        "Deployment",
        "-triton-cpu",
        lambda d: container(d)["lifecycle"]["preStop"]["sleep"].update(seconds=2),
    ),
    (
        "limits-are-in-order",
        "hpa",
        "HorizontalPodAutoscaler",
        "-gateway",
        lambda d: d["spec"].update(minReplicas=11),
    ),
    (
        "one-scales-each",
        "hpa",
        "Deployment",
        "-gateway",
        lambda d: d["spec"].update(replicas=2),
    ),
    (
        "metrics-have-their-target",
        "hpa",
        "HorizontalPodAutoscaler",
        "-gateway",
        lambda d: d["spec"]["metrics"][0]["external"]["target"].update(type="Value"),
    ),
    (
        "metrics-have-their-target",
        "keda",
        "ScaledObject",
        "-triton-gpu",
        lambda d: trigger(d).update(metricType="Utilization"),
    ),
    (
        "adapter-serves-metrics",
        "hpa",
        "HorizontalPodAutoscaler",
        "-gateway",
        lambda d: d["spec"]["metrics"][0]["external"]["metric"].update(name="in_flight"),
    ),
    (
        "zero-has-a-net",
        "scale-to-zero",
        "ScaledObject",
        "-triton-gpu",
        lambda d: trigger(d)["metadata"].update(activationThreshold="0"),
    ),
    (
        "zero-has-a-net",
        "scale-to-zero",
        "ScaledObject",
        "-triton-cpu",
        lambda d: d["spec"].update(minReplicaCount=0),
    ),
    (
        "budgets-allow-evictions",
        "default",
        "PodDisruptionBudget",
        "-gateway",
        lambda d: d["spec"].update(maxUnavailable=0),
    ),
    (
        "only-gateway-and-prometheus-reach-triton",
        "default",
        "NetworkPolicy",
        "-triton",
        lambda d: d["spec"]["ingress"][0].pop("from"),
    ),
    (
        "only-gateway-and-prometheus-reach-triton",
        "default",
        "NetworkPolicy",
        "-triton",
        lambda d: d["spec"]["ingress"][1].update(ports=[{"port": "grpc"}]),
    ),
    (
        "every-pod-has-a-policy",
        "default",
        "NetworkPolicy",
        "-jobs",
        lambda d: d["spec"]["podSelector"]["matchExpressions"][0].update(values=["retraining"]),
    ),
    (
        "gateway-may-reach-triton",
        "default",
        "NetworkPolicy",
        "-gateway",
        lambda d: d["spec"].update(egress=[]),
    ),
    (
        "model-control-is-closed",
        "default",
        "Deployment",
        "-triton-cpu",
        lambda d: container(d)["args"].remove("--model-control-mode=none"),
    ),
    (
        "only-the-api-is-published",
        "ingress",
        "Ingress",
        "-gateway",
        lambda d: d["spec"]["rules"][0]["http"]["paths"][0].update(path="/"),
    ),
]


@pytest.mark.parametrize("feature", list(value_files()))
def test_chart_keeps_every_rule(feature: str) -> None:
    assert list(judge(chart(feature))) == []


@pytest.mark.parametrize(
    ("rule", "feature", "kind", "name", "damage"), FAULTS, ids=[fault[0] for fault in FAULTS]
)
def test_rule_finds_its_fault(
    rule: str, feature: str, kind: str, name: str, damage: Callable[[dict[str, Any]], object]
) -> None:
    documents = copy.deepcopy(chart(feature).documents)
    (damaged,) = (
        d for d in documents if d["kind"] == kind and d["metadata"]["name"].endswith(name)
    )
    damage(damaged)

    assert rule in {finding.check for finding in judge(Chart(documents))}


def test_every_rule_is_shown_to_find_something() -> None:
    assert {rule.__name__.replace("_", "-") for rule in RULES} == {fault[0] for fault in FAULTS}


@pytest.mark.parametrize(("quantity", "number"), [("500m", 0.5), ("2Gi", 2 * 2**30), (3, 3.0)])
def test_quantity_is_read_as_kubernetes_reads_it(quantity: str | int, number: float) -> None:
    assert amount(quantity) == number


def test_quantity_with_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="GB"):
        amount("2GB")
