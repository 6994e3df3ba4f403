"""Reads autoscalers as Helm rendered them: HPAs with the adapter's rules, and ScaledObjects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploy.autoscaling.hpa import Direction, HorizontalScaler, Limits, Metric, Policy
from deploy.autoscaling.keda import Activation
from deploy.helm.rules.scaling import adapter_queries

if TYPE_CHECKING:
    from deploy.helm.objects import Chart

Scaler = HorizontalScaler | Activation


def read_scalers(chart: Chart) -> dict[str, Scaler]:
    """Returns the autoscalers by what they scale, each as at its begin.

    Metrics of the pods' own (CPU) are left out: nothing of them is recorded.
    """
    queries = adapter_queries(chart)
    found: dict[str, Scaler] = {}
    for hpa in chart.of_kind("HorizontalPodAutoscaler"):
        found[hpa["spec"]["scaleTargetRef"]["name"]] = _from_hpa(hpa["spec"], queries)
    for scaled in chart.of_kind("ScaledObject"):
        found[scaled["spec"]["scaleTargetRef"]["name"]] = _from_keda(scaled["spec"])
    return found


def _from_hpa(spec: dict[str, Any], queries: dict[str, str]) -> HorizontalScaler:
    metrics = []
    for each in (m["external"] for m in spec["metrics"] if m["type"] == "External"):
        name, target = each["metric"]["name"], each["target"]
        amount = target.get("value") or target["averageValue"]
        metrics.append(Metric(name, queries[name], target["type"], float(amount)))
    limits = _limits(spec["minReplicas"], spec["maxReplicas"], spec["behavior"])
    return HorizontalScaler(limits, metrics)


def _from_keda(spec: dict[str, Any]) -> Scaler:
    triggers = [each for each in spec["triggers"] if each["type"] == "prometheus"]
    metrics = [
        Metric(
            each["name"],
            each["metadata"]["query"],
            each["metricType"],
            float(each["metadata"]["threshold"]),
        )
        for each in triggers
    ]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    fewest = spec["minReplicaCount"]
    scaler = HorizontalScaler(_limits(max(1, fewest), spec["maxReplicaCount"], behavior), metrics)
    if fewest:
        return scaler
    thresholds = {t["name"]: float(t["metadata"]["activationThreshold"]) for t in triggers}
    return Activation(scaler, thresholds, spec["cooldownPeriod"])


def _limits(fewest: int, most: int, behavior: dict[str, Any]) -> Limits:
    return Limits(fewest, most, _direction(behavior["scaleUp"]), _direction(behavior["scaleDown"]))


def _direction(rules: dict[str, Any]) -> Direction:
    policies = tuple(Policy(p["type"], p["value"], p["periodSeconds"]) for p in rules["policies"])
    return Direction(rules["stabilizationWindowSeconds"], policies)
