"""What scales what, and on which figures."""

from __future__ import annotations

import pytest

from deploy.helm.rendering import RenderError
from deploy.helm.rules.scaling import adapter_queries
from tests.deploy.helm.rendered import chart, only


def test_nothing_scales_by_default_and_replicas_are_those_of_the_values() -> None:
    assert not list(chart().of_kind("HorizontalPodAutoscaler", "ScaledObject"))
    assert only(chart(), "Deployment", "-gateway")["spec"]["replicas"] == 2


def test_hpa_asks_the_adapter_what_keda_asks_prometheus() -> None:
    by_hpa = adapter_queries(chart("hpa"))
    by_keda = {
        f"{scaled['metadata']['name']}-{trigger['name']}".replace("-", "_"): trigger["metadata"][
            "query"
        ]
        for scaled in chart("keda").of_kind("ScaledObject")
        for trigger in scaled["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    }

    assert by_hpa.items() <= by_keda.items()


def test_gpu_pool_counts_what_fell_to_the_cpu_pool_and_the_cpu_pool_its_own_alone() -> None:
    queries = adapter_queries(chart("hpa"))

    assert "pool=" not in queries["demo_diptych_triton_gpu_in_flight"]
    assert 'pool="cpu"' in queries["demo_diptych_triton_cpu_in_flight"]


def test_queue_time_is_that_of_the_steps_in_their_own_pool() -> None:
    query = adapter_queries(chart("hpa"))["demo_diptych_triton_gpu_queue_time_ms"]

    assert query.count('service="demo-diptych-triton-gpu"') == 2
    assert query.count('model!~".+-[0-9a-f]{12}-(both|text|image)"') == 2


def test_gateway_is_scaled_on_what_it_has_in_flight_and_on_cpu() -> None:
    hpa = only(chart("hpa"), "HorizontalPodAutoscaler", "-gateway")

    in_flight, cpu = hpa["spec"]["metrics"]
    assert in_flight["external"]["target"] == {"type": "AverageValue", "averageValue": "16"}
    assert cpu["resource"]["target"] == {"type": "Utilization", "averageUtilization": 75}


def test_gpu_pool_that_may_be_none_is_brought_back_by_demand_alone() -> None:
    scaled = only(chart("scale-to-zero"), "ScaledObject", "-triton-gpu")["spec"]

    assert scaled["minReplicaCount"] == 0
    assert scaled["cooldownPeriod"] == 600
    levels = {t["name"]: float(t["metadata"]["activationThreshold"]) for t in scaled["triggers"]}
    assert levels.pop("demand-rps") == 5
    assert min(levels.values()) >= 1e9


def test_keda_takes_nothing_away_for_want_of_metrics() -> None:
    triggers = only(chart("keda"), "ScaledObject", "-triton-cpu")["spec"]["triggers"]

    assert {each["metadata"]["ignoreNullValues"] for each in triggers} == {"false"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("gpuPool.autoscaling.maxReplicas=1", "above maxReplicas"),
        ("gpuPool.autoscaling.minReplicas=0", "an HPA does not do"),
        (
            'gpuPool.autoscaling.targets={"queueTimeMs":null,"pendingPerPod":null,'
            '"inFlightPerPod":null,"demandRps":null}',
            "all null",
        ),
    ],
)
def test_contradictions_of_an_hpa_are_refused(value: str, reason: str) -> None:
    with pytest.raises(RenderError, match=reason):
        chart("hpa", value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("cpuPool.enabled=false", "no CPU pool to answer meanwhile"),
        ("gpuPool.autoscaling.targets.demandRps=null", "nothing would bring the first replica"),
    ],
)
def test_zero_replicas_without_a_net_are_refused(value: str, reason: str) -> None:
    with pytest.raises(RenderError, match=reason):
        chart("scale-to-zero", value)


def test_cpu_pool_can_never_be_none() -> None:
    with pytest.raises(RenderError, match="minReplicas"):
        chart("keda", "cpuPool.autoscaling.minReplicas=0")
