"""Who reaches whom: only the gateway and Prometheus reach Triton, and nobody its model control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.helm.objects import Chart, Pods, is_selected, title

if TYPE_CHECKING:
    from collections.abc import Iterator

_METRICS: Final = {"metrics", "shm"}
_CLOSED: Final = {"shared-memory", "trace", "logging"}
_CLOSED_OVER_HTTP: Final = _CLOSED | {"model-repository", "inference"}


def only_gateway_and_prometheus_reach_triton(chart: Chart) -> Iterator[tuple[str, str]]:
    """Triton takes gRPC from the gateway's pods, metrics from a named place, and nothing else."""
    policies = list(chart.of_kind("NetworkPolicy"))
    if not policies:
        return  # switched off, which the notes say
    for triton in (p for p in chart.pods if _component(p) == "triton"):
        own = [p for p in policies if is_selected(triton.labels, p["spec"]["podSelector"])]
        if not any("Ingress" in policy["spec"]["policyTypes"] for policy in own):
            yield title(triton.owner), "no policy closes it"
        for rule in (rule for policy in own for rule in policy["spec"].get("ingress", ())):
            ports = {port["port"] for port in rule.get("ports", ())}
            peers: list[dict[str, Any]] = rule.get("from") or [{}]
            for peer in peers:
                if fault := _peer_fault(chart, peer, ports):
                    yield title(triton.owner), fault


def every_pod_has_a_policy(chart: Chart) -> Iterator[tuple[str, str]]:
    """Each pod is under a policy for what comes in and what goes out."""
    policies = list(chart.of_kind("NetworkPolicy"))
    for pods in chart.pods if policies else ():
        own = [p for p in policies if is_selected(pods.labels, p["spec"]["podSelector"])]
        for direction in ("Ingress", "Egress"):
            if not any(direction in policy["spec"]["policyTypes"] for policy in own):
                yield title(pods.owner), f"no policy says what may pass: {direction}"


def gateway_may_reach_triton(chart: Chart) -> Iterator[tuple[str, str]]:
    """The gateway's egress lets it ask each Triton's gRPC port."""
    policies = list(chart.of_kind("NetworkPolicy"))
    if not policies:
        return
    gateway = next(p for p in chart.pods if _component(p) == "gateway")
    rules = [
        rule
        for policy in policies
        if is_selected(gateway.labels, policy["spec"]["podSelector"])
        for rule in policy["spec"].get("egress", ())
    ]
    for triton in (p for p in chart.pods if _component(p) == "triton"):
        if not any(_leads_to(rule, triton, 8001) for rule in rules):
            yield title(gateway.owner), f"it may not reach {title(triton.owner)}"


def model_control_is_closed(chart: Chart) -> Iterator[tuple[str, str]]:
    """Triton loads what is there, once; what else could change it needs a key that nobody knows."""
    for pods in chart.pods:
        for container in pods.spec["containers"]:
            if container["name"] != "triton":
                continue
            arguments = container["args"]
            if "--model-control-mode=none" not in arguments:
                yield title(pods.owner), "models can be loaded from outside"
            for flag, wanted in (
                ("--http-restricted-api=", _CLOSED_OVER_HTTP),
                ("--grpc-restricted-protocol=", _CLOSED),
            ):
                text = next((a.removeprefix(flag) for a in arguments if a.startswith(flag)), "")
                if missing := wanted - set(text.partition(":")[0].split(",")):
                    yield title(pods.owner), f"{flag} leaves open {sorted(missing)}"


def only_the_api_is_published(chart: Chart) -> Iterator[tuple[str, str]]:
    """An Ingress or a route publishes `/v1` and the Classifier: not metrics, health or pages."""
    for ingress in chart.of_kind("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                if path["path"] not in ("/v1/", "/diptych.v1.Classifier/"):
                    yield title(ingress), f"it publishes {path['path']}"
    for route in chart.of_kind("HTTPRoute", "GRPCRoute"):
        for rule in route["spec"]["rules"]:
            matches: list[dict[str, Any]] = rule.get("matches") or [{}]
            for match in matches:
                path, method = match.get("path", {}), match.get("method", {})
                shown = path.get("value") or method.get("service")
                if shown not in ("/v1", "diptych.v1.Classifier"):
                    yield title(route), f"it publishes {shown or 'all'}"


def _component(pods: Pods) -> str | None:
    return pods.labels.get("app.kubernetes.io/component")


def _peer_fault(chart: Chart, peer: dict[str, Any], ports: set[Any]) -> str | None:
    if not peer or not ports:
        return "everybody may reach it"
    if "namespaceSelector" in peer or "ipBlock" in peer:
        # Prometheus, wherever it runs: it may read metrics and nothing else.
        return None if ports <= _METRICS else f"other namespaces may reach {sorted(ports)}"
    inside = {_component(p) for p in chart.selected(peer["podSelector"])}
    if ports <= _METRICS or (inside == {"gateway"} and ports == {"grpc"}):
        return None
    return f"{sorted(map(str, inside))} may reach {sorted(map(str, ports))}"


def _leads_to(rule: dict[str, Any], pods: Pods, port: int) -> bool:
    if port not in {each["port"] for each in rule.get("ports", ())}:
        return False
    peers = rule.get("to", ())
    return any(is_selected(pods.labels, p["podSelector"]) for p in peers if "podSelector" in p)


RULES: Final = (
    only_gateway_and_prometheus_reach_triton,
    every_pod_has_a_policy,
    gateway_may_reach_triton,
    model_control_is_closed,
    only_the_api_is_published,
)
