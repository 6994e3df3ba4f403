"""Autoscaling and disruption: limits in order, metrics that exist, and pods that may move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from deploy.helm.objects import Chart, title

if TYPE_CHECKING:
    from collections.abc import Iterator

_TARGETS: Final = {
    "Value": "value",
    "AverageValue": "averageValue",
    "Utilization": "averageUtilization",
}
_SOURCES: Final = {"External": "external", "Resource": "resource"}
_TYPES_OF_SOURCE: Final = {
    "External": {"Value", "AverageValue"},
    "Resource": {"Utilization", "AverageValue"},
}
_TYPES_OF_TRIGGER: Final = {"prometheus": {"Value", "AverageValue"}, "cpu": {"Utilization"}}


def limits_are_in_order(chart: Chart) -> Iterator[tuple[str, str]]:
    """The fewest replicas are no more than the most, and only KEDA goes to none."""
    for scaler in chart.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
        fewest, most = _limits(scaler)
        if fewest > most:
            yield title(scaler), f"its minimum, {fewest}, is above its maximum, {most}"
        if fewest < 1 and scaler["kind"] != "ScaledObject":
            yield title(scaler), "an HPA does not scale to zero"


def one_scales_each(chart: Chart) -> Iterator[tuple[str, str]]:
    """A scaler's target exists, has no other, and says no number of replicas itself."""
    targets: set[str] = set()
    for scaler in chart.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
        name = scaler["spec"]["scaleTargetRef"]["name"]
        deployment = chart.find("Deployment", name)
        if deployment is None:
            yield title(scaler), f"there is no Deployment {name}"
        elif "replicas" in deployment["spec"]:
            yield title(deployment), "it sets replicas, which each upgrade would put back"
        if name in targets:
            yield title(scaler), f"something else scales {name} too"
        targets.add(name)


def metrics_have_their_target(chart: Chart) -> Iterator[tuple[str, str]]:
    """Each metric and each trigger has the target of its type, which fits its source."""
    for scaler in chart.of_kind("HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            target = metric[_SOURCES[metric["type"]]]["target"]
            if target["type"] not in _TYPES_OF_SOURCE[metric["type"]]:
                yield title(scaler), f"a metric of type {metric['type']} has no {target['type']}"
            elif set(target) != {"type", _TARGETS[target["type"]]}:
                yield title(scaler), f"a target of type {target['type']} has {sorted(target)}"
    for scaler in chart.of_kind("ScaledObject"):
        for trigger in scaler["spec"]["triggers"]:
            if trigger.get("metricType") not in _TYPES_OF_TRIGGER[trigger["type"]]:
                yield title(scaler), f"{trigger['type']} has no {trigger.get('metricType')}"
            number = trigger["metadata"].get("threshold") or trigger["metadata"].get("value")
            if not isinstance(number, str) or float(number) <= 0:
                yield title(scaler), f"the threshold of {trigger['name']} is {number!r}"


def adapter_serves_metrics(chart: Chart) -> Iterator[tuple[str, str]]:
    """Each external metric of an HPA has a rule for prometheus-adapter, and each rule an HPA."""
    asked = {
        metric["external"]["metric"]["name"]
        for scaler in chart.of_kind("HorizontalPodAutoscaler")
        for metric in scaler["spec"]["metrics"]
        if metric["type"] == "External"
    }
    served = set(adapter_queries(chart))
    for name in sorted(asked ^ served):
        yield (
            "ConfigMap of the adapter's rules",
            f"{name} is {'asked' if name in asked else 'served'} only",
        )


def zero_has_a_net(chart: Chart) -> Iterator[tuple[str, str]]:
    """What may go to zero has a demand trigger that brings it back, and another pool that stays."""
    scalers = list(chart.of_kind("HorizontalPodAutoscaler", "ScaledObject"))
    fewest = {each["spec"]["scaleTargetRef"]["name"]: _limits(each)[0] for each in scalers}
    pools = [p.owner["metadata"]["name"] for p in chart.pods if "diptych/pool" in p.labels]
    for scaler in scalers:
        name = scaler["spec"]["scaleTargetRef"]["name"]
        if fewest[name] > 0:
            continue
        if not any(fewest.get(other, 1) > 0 for other in pools if other != name):
            yield title(scaler), "nothing answers while there is none"
        waking = {
            trigger["name"]
            for trigger in scaler["spec"]["triggers"]
            if float(trigger["metadata"].get("activationThreshold", 0)) < 1e6
        }
        if waking != {"demand-rps"}:
            yield title(scaler), f"{sorted(waking) or 'nothing'} wakes it, instead of demand alone"


def budgets_allow_evictions(chart: Chart) -> Iterator[tuple[str, str]]:
    """A disruption budget lets at least one replica go, or no node could be drained."""
    for budget in chart.of_kind("PodDisruptionBudget"):
        spec = budget["spec"]
        if spec.get("maxUnavailable") in (0, "0%"):
            yield title(budget), "it lets nothing go"
        if "minAvailable" in spec:
            for pods in chart.selected(spec["selector"]):
                replicas = pods.owner["spec"].get("replicas", 1)
                if not isinstance(spec["minAvailable"], int) or spec["minAvailable"] >= replicas:
                    yield title(budget), f"{spec['minAvailable']} of {replicas} must stay"


def adapter_queries(chart: Chart) -> dict[str, str]:
    """Returns the PromQL that prometheus-adapter is told to serve, by metric."""
    return {
        rule["name"]["as"]: rule["metricsQuery"]
        for config in chart.of_kind("ConfigMap")
        if "rules.yaml" in config["data"]
        for rule in yaml.safe_load(config["data"]["rules.yaml"])["externalRules"]
    }


def _limits(scaler: dict[str, Any]) -> tuple[int, int]:
    spec = scaler["spec"]
    if scaler["kind"] == "ScaledObject":
        return spec["minReplicaCount"], spec["maxReplicaCount"]
    return spec["minReplicas"], spec["maxReplicas"]


RULES: Final = (
    limits_are_in_order,
    one_scales_each,
    metrics_have_their_target,
    adapter_serves_metrics,
    zero_has_a_net,
    budgets_allow_evictions,
)
