"""Rendered objects, as the rules ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from deploy.helm.rendering import Document

_TEMPLATE_PATHS = {
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}


@dataclass(frozen=True)
class Pods:
    """Pods that one object makes.

    Attributes:
        owner: the object.
        labels: of each pod.
        spec: of each pod.
    """

    owner: Document
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All containers, those that run first included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def port_names(self) -> set[str]:
        """Names of all ports."""
        return {port["name"] for each in self.containers for port in each.get("ports", ())}

    @property
    def port_numbers(self) -> set[int]:
        """Numbers of all ports."""
        return {port["containerPort"] for each in self.containers for port in each.get("ports", ())}

    def has_port(self, port: int | str) -> bool:
        """Whether a container has a port of this name or number."""
        return port in (self.port_names if isinstance(port, str) else self.port_numbers)


class Chart:
    """All objects of one rendering.

    Args:
        documents: as they were rendered.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        self.pods = tuple(_pods(each) for each in documents if each["kind"] in _TEMPLATE_PATHS)

    def of_kind(self, *kinds: str) -> Iterator[Document]:
        """Yields all objects of some kinds."""
        return (each for each in self.documents if each["kind"] in kinds)

    def find(self, kind: str, name: str) -> Document | None:
        """Returns the object of a kind and a name."""
        return next((d for d in self.of_kind(kind) if d["metadata"]["name"] == name), None)

    def selected(self, selector: Mapping[str, Any]) -> list[Pods]:
        """Returns the pods that a label selector means: a plain mapping, or one with `match…`."""
        return [each for each in self.pods if is_selected(each.labels, selector)]


def is_selected(labels: Mapping[str, str], selector: Mapping[str, Any]) -> bool:
    """Whether a label selector means something with these labels."""
    if not {"matchLabels", "matchExpressions"} & set(selector):
        return all(labels.get(key) == value for key, value in selector.items())
    if not is_selected(labels, selector.get("matchLabels", {})):
        return False
    for each in selector.get("matchExpressions", ()):
        if not _meets(labels.get(each["key"]), each["operator"], each.get("values", ())):
            return False
    return True


def _meets(value: str | None, operator: str, values: Collection[str]) -> bool:
    """Whether a label's value, None without one, meets a requirement, as Kubernetes defines it."""
    if operator in {"In", "Exists"}:
        return value is not None if operator == "Exists" else value in values
    return value is None if operator == "DoesNotExist" else value not in values


def title(document: Document) -> str:
    """Kind and name, for people."""
    return f"{document['kind']} {document['metadata']['name']}"


def _pods(document: Document) -> Pods:
    template: Any = document
    for key in _TEMPLATE_PATHS[document["kind"]]:
        template = template[key]
    return Pods(document, template["metadata"].get("labels", {}), template["spec"])
