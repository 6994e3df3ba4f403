"""Schemas of values whose form is another's: the gateway's settings, and parts of Kubernetes' pods.

They are written into `values.schema.json` as all are (see `documents`), so that Helm refuses what
would otherwise keep a pod from starting.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.settings import Settings

SET_BY_CHART: Final = frozenset(
    {
        "api_keys_file",
        "capture_folder",
        "database_url",
        "drain_delay_s",
        "drain_timeout_s",
        "experiments_file",
        "grpc_host",
        "grpc_port",
        "has_tracing",
        "http_host",
        "http_port",
        "receipt_keys_file",
        "triton_cpu_endpoints",
        "triton_gpu_endpoints",
        "triton_grpc_url",
        "workers",
    }
)
"""Settings of the gateway that the chart sets by itself, of other values."""

_KEPT: Final = (
    "description",
    "type",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
)
_QUANTITY: Final[dict[str, Any]] = {
    "type": ["string", "number"],
    "pattern": r"^[0-9]+(\.[0-9]+)?(m|k|[KMGT]i|[MGT])?$",
    "exclusiveMinimum": 0,
}
_RESOURCES: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        name: {
            "description": description,
            "type": "object",
            "additionalProperties": _QUANTITY,
        }
        for name, description in (
            ("requests", "What is reserved, by resource, such as `cpu: 500m`."),
            ("limits", "What is not exceeded, by resource, such as `memory: 2Gi`."),
        )
    },
}
_TOLERATIONS: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "key": {"description": "Of the taint.", "type": "string"},
            "operator": {"description": "How.", "enum": ["Exists", "Equal"]},
            "value": {"description": "Of the taint, for `Equal`.", "type": "string"},
            "effect": {
                "description": "Of the taint; all without it.",
                "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
            },
            "tolerationSeconds": {"description": "For `NoExecute`.", "type": "integer"},
        },
    },
}
_ENVIRONMENT: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": {"description": "Of the variable.", "type": "string", "minLength": 1},
            "value": {"description": "As text.", "type": "string"},
            "valueFrom": {"description": "A field, a ConfigMap or a secret.", "type": "object"},
        },
    },
}
OF_PODS: Final[dict[str, dict[str, Any]]] = {
    "extraEnv": _ENVIRONMENT,
    "resources": _RESOURCES,
    "tmpSizeLimit": _QUANTITY,
    "tolerations": _TOLERATIONS,
}
"""By the name of a value, wherever it stands."""


def gateway_settings() -> dict[str, Any]:
    """Returns the schema of the gateway's settings, by their names in the environment."""
    fields = Settings.model_json_schema()["properties"]
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name.upper(): _setting(field)
            for name, field in fields.items()
            if name not in SET_BY_CHART
        },
    }


def _setting(field: dict[str, Any]) -> dict[str, Any]:
    # What may be unset is left out of the values, so null needs no place here.
    kinds = [each for each in field.get("anyOf", ()) if each.get("type") != "null"]
    whole = {**field, **(kinds[0] if kinds else {})}
    if whole["type"] == "array":
        whole["type"] = "string"  # several, by comma
    return {key: whole[key] for key in _KEPT if key in whole}
