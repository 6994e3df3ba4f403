"""Names: what an object refers to is there, or is said to exist outside the chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.helm.objects import Chart, Pods, title

if TYPE_CHECKING:
    from collections.abc import Iterator


def names_are_unique(chart: Chart) -> Iterator[tuple[str, str]]:
    """No two objects of a kind have the same name, and none has one that is too long."""
    seen: set[str] = set()
    for document in chart.documents:
        if title(document) in seen:
            yield title(document), "there are two of that name"
        seen.add(title(document))
        # The shortest limit of the kinds here: a Service's is a DNS label.
        if len(document["metadata"]["name"]) > 63:
            yield title(document), "its name has more than 63 characters"


def mounts_have_volumes(chart: Chart) -> Iterator[tuple[str, str]]:
    """A mount has a volume, and a volume is mounted."""
    for pods in chart.pods:
        volumes = {each["name"] for each in pods.spec.get("volumes", ())}
        mounts = {m["name"] for each in pods.containers for m in each.get("volumeMounts", ())}
        for name in sorted(mounts - volumes):
            yield title(pods.owner), f"{name} is mounted and is no volume"
        for name in sorted(volumes - mounts):
            yield title(pods.owner), f"{name} is a volume that nobody mounts"


def own_config_maps_exist(chart: Chart) -> Iterator[tuple[str, str]]:
    """A ConfigMap or service account named after the release is one of the chart's."""
    for pods in chart.pods:
        account = pods.spec["serviceAccountName"]
        if chart.find("ServiceAccount", account) is None:
            yield title(pods.owner), f"there is no ServiceAccount {account}"
        prefix = account.rpartition("-")[0]
        for name in _config_maps(pods):
            if name.startswith(f"{prefix}-") and chart.find("ConfigMap", name) is None:
                yield title(pods.owner), f"there is no ConfigMap {name}"


def secrets_are_the_users(chart: Chart) -> Iterator[tuple[str, str]]:
    """The chart makes no secret and holds none: it refers to existing ones."""
    for document in chart.of_kind("Secret"):
        yield title(document), "secrets are the user's to make"


def gateway_asks_tritons_that_are_there(chart: Chart) -> Iterator[tuple[str, str]]:
    """Each pool that the gateway is told of is a headless service with gRPC on that port."""
    for pods in chart.pods:
        for container in pods.containers:
            for variable in container.get("env", ()):
                if not variable["name"].endswith("_ENDPOINTS"):
                    continue
                scheme, _, rest = variable["value"].partition(":///")
                name, _, port = rest.partition(":")
                service = chart.find("Service", name)
                if scheme != "dns" or service is None:
                    yield title(pods.owner), f"{variable['value']} is no service of the chart"
                elif service["spec"].get("clusterIP") != "None":
                    yield title(service), "it is not headless: one channel would stick to one pod"
                elif int(port) not in {each["port"] for each in service["spec"]["ports"]}:
                    yield title(service), f"it has no port {port}, which the gateway asks"


def _config_maps(pods: Pods) -> Iterator[str]:
    for volume in pods.spec.get("volumes", ()):
        source: dict[str, Any] = volume.get("configMap") or {}
        if source:
            yield source["name"]


RULES: Final = (
    names_are_unique,
    mounts_have_volumes,
    own_config_maps_exist,
    secrets_are_the_users,
    gateway_asks_tritons_that_are_there,
)
