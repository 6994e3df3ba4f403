"""Strict schemas of all that the chart renders: Kubernetes' own kinds, and the custom ones."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jsonschema
import kubernetes_validate
from kubernetes_validate import utils as kubernetes_schemas

from deploy.helm.objects import title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.helm.rendering import Document

_BUILT_IN: Final = {"", "apps", "autoscaling", "batch", "policy", "networking.k8s.io"}
_VENDORED: Final = {"HTTPRoute": "httproute.json", "GRPCRoute": "grpcroute.json"}


def schema_faults(document: Document, kubernetes: str) -> Iterator[tuple[str, str]]:
    """Yields what the strict schema of an object's kind refuses, as `(subject, what)`.

    An unknown kind, and one that this version of Kubernetes does not have, is a fault too.

    Args:
        document: the object.
        kubernetes: the version, such as `1.35`.
    """
    group = document["apiVersion"].rpartition("/")[0]
    if group in _BUILT_IN:
        try:
            kubernetes_validate.validate(document, kubernetes, strict=True)
        except kubernetes_validate.ValidationError as fault:
            yield title(document), f"{_place(fault)}: {fault.message} (Kubernetes {kubernetes})"
        except kubernetes_schemas.SchemaNotFoundError as missing:
            yield title(document), missing.message
        return
    validator = _custom(document["kind"])
    if validator is None:
        yield title(document), f"there is no schema for {document['apiVersion']} {document['kind']}"
        return
    for error in validator.iter_errors(document):
        yield title(document), f"{_place(error)}: {error.message}"


@cache
def _custom(kind: str) -> jsonschema.Draft202012Validator | None:
    if kind in _VENDORED:
        path = Path(__file__).with_name(_VENDORED[kind])
        return jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))
    # Loaded where they are used: they take seconds.
    from cloudcoil.models.keda import v1alpha1 as keda
    from cloudcoil.models.prometheus_operator import v1 as prometheus

    models: dict[str, Any] = {
        "ScaledObject": keda.ScaledObject,
        "ServiceMonitor": prometheus.ServiceMonitor,
        "PrometheusRule": prometheus.PrometheusRule,
    }
    if kind not in models:
        return None
    schema = models[kind].model_json_schema(by_alias=True)
    return jsonschema.Draft202012Validator(_closed(schema))


def _closed(schema: Any) -> Any:  # noqa: ANN401  # any part of a schema
    """Returns a schema in which objects have no properties but those that are named."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(each) for key, each in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


def _place(error: jsonschema.ValidationError) -> str:
    return ".".join(str(each) for each in error.absolute_path) or "(root)"
