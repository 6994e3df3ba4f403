"""The chart as a real Helm renders it, for tests to ask."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from deploy.helm.chart import value_files
from deploy.helm.objects import Chart
from deploy.helm.rendering import Document, Helm, documents

if TYPE_CHECKING:
    from typing import Any

HELM = Helm("helm-4")


@cache
def chart(feature: str = "default", *sets: str) -> Chart:
    """Renders a value file of `ci/`, with `key=JSON` on top."""
    return Chart(documents(HELM.template([value_files()[feature]], sets=sets)))


def only(found: Chart, kind: str, name: str) -> Document:
    """Returns the object of a kind whose name ends so."""
    (document,) = (d for d in found.of_kind(kind) if d["metadata"]["name"].endswith(name))
    return document


def pod_spec(found: Chart, name: str) -> dict[str, Any]:
    """Returns the pod spec of the Deployment whose name ends so."""
    spec: dict[str, Any] = only(found, "Deployment", name)["spec"]["template"]["spec"]
    return spec


def environment(found: Chart) -> dict[str, str]:
    """Returns what the gateway's container has in its environment, without what secrets hold."""
    (container,) = pod_spec(found, "-gateway")["containers"]
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}
