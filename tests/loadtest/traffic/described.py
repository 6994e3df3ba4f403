"""A right answer, a problem, and the gateway's own description of both."""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from gateway.api.schemas import BatchAnswer, ClassifyAnswer, ProblemBody

ANSWER: Final[dict[str, Any]] = {
    "prediction_id": "p",
    "variant": "demo",
    "digest": "ab" * 32,
    "assignment": {
        "reason": "configured",
        "experiment": None,
        "arm": None,
        "gate": None,
        "is_sticky": False,
    },
    "modalities": ["text"],
    "label": "right",
    "score": 0.9,
    "top_k": [{"label": "right", "score": 0.9}],
    "timings_ms": {
        "receive": 0.1,
        "labels": None,
        "triton": 1.0,
        "decode": None,
        "image_encoder": None,
        "tokenise": 0.1,
        "text_encoder": 0.8,
        "respond": 0.1,
        "total": 1.3,
    },
    "batch_sizes": {"image_encoder": None, "text_encoder": 1},
    "source": "computed",
    "pool": "default",
    "degraded": None,
}
PROBLEM: Final[dict[str, Any]] = {
    "type": "about:blank",
    "title": "No",
    "status": 400,
    "detail": "No.",
    "instance": "/v1/classify",
    "code": "no",
}


def openapi() -> dict[str, Any]:
    """Describes classification with the gateway's own models."""
    models = [(model, "serialization") for model in (ClassifyAnswer, BatchAnswer, ProblemBody)]
    _, schema = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]

    def post(name: str) -> dict[str, Any]:
        body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        return {"post": {"responses": {"200": {"content": body}}}}

    return {
        "paths": {
            "/v1/classify": post("ClassifyAnswer"),
            "/v1/classify:batch": post("BatchAnswer"),
        },
        "components": {"schemas": schema["$defs"]},
    }
