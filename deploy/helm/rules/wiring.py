"""Selectors and ports: what refers to pods finds some, and the ports it means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from deploy.helm.objects import Chart, is_selected, title

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROBES: Final = ("startupProbe", "livenessProbe", "readinessProbe")


def workloads_select_their_pods(chart: Chart) -> Iterator[tuple[str, str]]:
    """A Deployment selects its own pods, and no other's."""
    for deployment in chart.of_kind("Deployment"):
        owners = {title(p.owner) for p in chart.selected(deployment["spec"]["selector"])}
        if owners != {title(deployment)}:
            yield title(deployment), f"its selector means the pods of {sorted(owners) or 'nobody'}"


def selectors_match_pods(chart: Chart) -> Iterator[tuple[str, str]]:
    """A Service and a disruption budget select pods of one Deployment; a policy selects any."""
    for document in chart.of_kind("Service", "PodDisruptionBudget"):
        pods = chart.selected(document["spec"]["selector"])
        if len(pods) != 1:
            yield title(document), f"its selector means {len(pods)} workloads instead of one"
    for policy in chart.of_kind("NetworkPolicy"):
        if not chart.selected(policy["spec"]["podSelector"]):
            yield title(policy), "its selector means no pods"


def spreading_counts_own_pods(chart: Chart) -> Iterator[tuple[str, str]]:
    """Topology spread constraints count the pods that they stand in."""
    for pods in chart.pods:
        for each in pods.spec.get("topologySpreadConstraints", ()):
            if [p.owner for p in chart.selected(each["labelSelector"])] != [pods.owner]:
                yield title(pods.owner), f"spreading over {each['topologyKey']} counts other pods"


def services_reach_ports(chart: Chart) -> Iterator[tuple[str, str]]:
    """A Service's target ports are ports of its pods."""
    for service in chart.of_kind("Service"):
        for pods in chart.selected(service["spec"]["selector"]):
            for port in service["spec"]["ports"]:
                if not pods.has_port(port.get("targetPort", port["port"])):
                    yield title(service), f"{title(pods.owner)} has no port {port['targetPort']}"


def probes_reach_ports(chart: Chart) -> Iterator[tuple[str, str]]:
    """A probe asks a port that its container has; what serves has all three probes."""
    for pods in chart.pods:
        for container in pods.spec["containers"]:
            own = {port["name"] for port in container.get("ports", ())}
            for kind in _PROBES:
                if (probe := container.get(kind)) and probe["httpGet"]["port"] not in own:
                    yield (
                        title(pods.owner),
                        f"{kind} asks {probe['httpGet']['port']}: no port of it",
                    )
                if own and kind not in container:
                    yield title(pods.owner), f"{container['name']} serves and has no {kind}"


def monitors_find_services(chart: Chart) -> Iterator[tuple[str, str]]:
    """A ServiceMonitor selects Services, each of which has the port that it scrapes."""
    for monitor in chart.of_kind("ServiceMonitor"):
        services = [
            service
            for service in chart.of_kind("Service")
            if is_selected(service["metadata"]["labels"], monitor["spec"]["selector"])
        ]
        if not services:
            yield title(monitor), "its selector means no Service"
        for service in services:
            names = {port["name"] for port in service["spec"]["ports"]}
            for endpoint in monitor["spec"]["endpoints"]:
                if endpoint["port"] not in names:
                    yield title(monitor), f"{title(service)} has no port {endpoint['port']}"


def alerts_find_their_jobs(chart: Chart) -> Iterator[tuple[str, str]]:
    """A job that rules go by is scraped under that name, where the chart says what is scraped."""
    jobs = {
        relabeling["replacement"]
        for monitor in chart.of_kind("ServiceMonitor")
        for endpoint in monitor["spec"]["endpoints"]
        for relabeling in endpoint.get("relabelings", ())
        if relabeling["targetLabel"] == "job"
    }
    for document in chart.of_kind("PrometheusRule") if jobs else ():
        patterns = re.findall(r'job=~"([^"]+)"', str(document["spec"]["groups"]))
        for pattern in dict.fromkeys(patterns):
            if not any(re.fullmatch(pattern, job) for job in jobs):
                yield title(document), f"nothing is scraped as the job {pattern}, which it goes by"


def routes_lead_to_services(chart: Chart) -> Iterator[tuple[str, str]]:
    """An Ingress and a route lead to a Service and a port that exist."""
    for document in chart.of_kind("Ingress", "HTTPRoute", "GRPCRoute"):
        for name, port in _backends(document):
            service = chart.find("Service", name)
            ports = service["spec"]["ports"] if service else ()
            if not any(port in (each["name"], each["port"]) for each in ports):
                yield title(document), f"there is no Service {name} with a port {port}"


def _backends(document: dict[str, Any]) -> Iterator[tuple[str, int | str]]:
    for rule in document["spec"]["rules"]:
        for path in rule.get("http", {}).get("paths", ()):
            service = path["backend"]["service"]
            yield service["name"], service["port"].get("name", service["port"].get("number"))
        for backend in rule.get("backendRefs", ()):
            yield backend["name"], backend["port"]


RULES: Final = (
    workloads_select_their_pods,
    selectors_match_pods,
    spreading_counts_own_pods,
    services_reach_ports,
    probes_reach_ports,
    monitors_find_services,
    alerts_find_their_jobs,
    routes_lead_to_services,
)
