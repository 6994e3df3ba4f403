"""The OpenAPI page, where FastAPI cannot know it: bodies read from the socket, and the problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from gateway import errors
from gateway.api.authentication import OPEN_PATHS
from gateway.api.feedback_schemas import FeedbackBatchBody, FeedbackBody
from gateway.api.problems import KINDS, MEDIA_TYPE
from gateway.api.schemas import BatchBody, ClassifyBody, LabelSetBody, ProblemBody
from gateway.api.subject import MAX_UNIT_CHARS
from gateway.traffic.stored import MODELS

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic import BaseModel

_REF: Final = "#/components/schemas/{model}"
_OF_OTHER_ROUTES: Final = frozenset(
    {
        errors.ConflictError,
        errors.PreconditionFailedError,
        errors.StorageNotConfiguredError,
        errors.StorageUnavailableError,
        errors.StorageOutdatedError,
        errors.UnknownRuleError,
    }
)
_OF_FEEDBACK: Final = frozenset(
    {
        errors.FeedbackNotConfiguredError,
        errors.FeedbackQueueFullError,
        errors.InvalidReceiptError,
        errors.StaleReceiptError,
        errors.UnknownLabelError,
    }
)

_OF_VARIANTS: Final = frozenset({errors.UnknownVariantError, errors.UnknownLabelSetError})

_OF_RULES: Final = frozenset(
    {errors.ConflictError, errors.PreconditionFailedError, errors.UnknownRuleError}
)

# Of the problems' statuses those that a classifying route answers with. 499 is what the log says of
# a client that left; nobody receives it.
_CLASSIFYING: Final = frozenset({400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504})
_OF_LABEL_SETS: Final = frozenset({400, 401, 403, 404, 408, 409, 413, 422, 500, 501, 503, 504})

CLASSIFY_REQUEST: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "anyOf": [
                        {"required": ["image"]},
                        {"required": ["image_url"]},
                        {"required": ["text"]},
                    ],
                    "properties": {
                        "image": {
                            "type": "string",
                            "format": "binary",
                            "description": "Image file: JPEG, PNG, WebP, GIF or BMP.",
                        },
                        "image_url": {
                            "type": "string",
                            "format": "uri",
                            "description": "https URL of the image, in place of it.",
                        },
                        "text": {"type": "string", "description": "Text to classify."},
                        "top_k": {
                            "type": "integer",
                            "minimum": 1,
                            "default": 5,
                            "description": "How many of the best labels to return.",
                        },
                        "variant": {
                            "type": "string",
                            "description": "Variant that is to answer; see /v1/models.",
                        },
                        "unit": {
                            "type": "string",
                            "maxLength": MAX_UNIT_CHARS,
                            "description": "Who keeps the same variant in an experiment.",
                        },
                        "labels": {
                            "type": "array",
                            "items": {"type": "string"},
                            "description": "Labels to classify into, one part each, for a variant "
                            "of kind `dual_tower`.",
                        },
                        "prompt_template": {
                            "type": "array",
                            "items": {"type": "string"},
                            "description": "Prompts that each label is put into, one part each, "
                            "such as `a photo of a {label}`.",
                        },
                        "label_set": {
                            "type": "string",
                            "description": "Name of registered labels, in place of `labels`.",
                        },
                    },
                }
            },
            "application/json": {
                "schema": {"$ref": _REF.format(model=ClassifyBody.__name__)},
                "example": {"text": "a red heart", "top_k": 3},
            },
        },
    }
}

BATCH_REQUEST: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": _REF.format(model=BatchBody.__name__)},
                "example": {"items": [{"text": "a red heart"}, {"text": "a green leaf"}]},
            }
        },
    }
}


def label_set_request() -> dict[str, Any]:
    """Returns the documentation of a body that is a label set."""
    content = {
        "schema": {"$ref": _REF.format(model=LabelSetBody.__name__)},
        "example": {
            "labels": ["food", "animal", "vehicle"],
            "prompt_template": "a drawing of a {label}",
        },
    }
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def rule_request(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the documentation of a body that is a rule, whose name the path gives."""
    schema = model.model_json_schema(ref_template=_REF)
    schema.pop("$defs", None)
    schema["required"] = [field for field in schema["required"] if field != "name"]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_ADMINISTERING: Final = frozenset(
    {400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429, 500, 501, 503}
)


def label_set_answers(model: type[BaseModel] | None) -> dict[int | str, dict[str, Any]]:
    """Returns the documented answers of a route of label sets; without a model: 204."""
    documented = _problems(_OF_LABEL_SETS, _OF_RULES | _OF_FEEDBACK)
    success: dict[int | str, dict[str, Any]] = {}
    success[204 if model is None else 200] = (
        {"description": "Done"} if model is None else {"model": model}
    )
    return success | documented


def admin_answers(model: type[BaseModel] | None) -> dict[int | str, dict[str, Any]]:
    """Returns the documented answers of a route of administration; without a model: 204."""
    success: dict[int | str, dict[str, Any]] = (
        {204: {"description": "Done"}} if model is None else {200: {"model": model}}
    )
    return success | _problems(_ADMINISTERING, _OF_FEEDBACK)


_GIVING_FEEDBACK: Final = frozenset({400, 401, 403, 410, 413, 422, 500, 501, 503, 504})
_OF_CLASSIFYING: Final = frozenset(
    {
        errors.BackendUnavailableError,
        errors.InvalidInputError,
        errors.OverloadedError,
        errors.VariantUnavailableError,
    }
)


def feedback_request(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """Returns the documentation of a body that is feedback."""
    content = {"schema": {"$ref": _REF.format(model=model.__name__)}, "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def feedback_answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Returns the documented answers of a route of feedback: the model, and its problems."""
    return {200: {"model": model}, **_problems(_GIVING_FEEDBACK, _OF_CLASSIFYING)}


def result_answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Returns the documented answers of the route of an experiment's results."""
    return {200: {"model": model}, **_problems({401, 404, 500}, _OF_VARIANTS)}


def answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Returns the documented answers of a classifying route: the model, and its problems."""
    return {200: {"model": model}, **_problems(_CLASSIFYING, _OF_OTHER_ROUTES | _OF_FEEDBACK)}


def _problems(
    statuses: Collection[int], left_out: Collection[type[errors.GatewayError]]
) -> dict[int | str, dict[str, Any]]:
    titles: dict[int, list[str]] = {}
    for error, kind in KINDS.items():
        if error in left_out or kind.status not in statuses:
            continue
        if kind.title not in titles.setdefault(kind.status, []):
            titles[kind.status].append(kind.title)
    documented: dict[int | str, dict[str, Any]] = {}
    for status, each in sorted(titles.items()):
        documented[status] = {
            "description": "; ".join(each),
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model=ProblemBody.__name__)}}},
        }
        if status in {429, 503}:
            documented[status]["headers"] = {
                "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}
            }
    return documented


class DocumentedApi(FastAPI):
    """FastAPI with a page that knows the models that only this module refers to."""

    def openapi(self) -> dict[str, Any]:
        """Returns the page; made on the first call."""
        page = super().openapi()
        schemas = page["components"]["schemas"]
        if ClassifyBody.__name__ not in schemas:
            _, definitions = models_json_schema(
                [
                    (model, "validation")
                    for model in (
                        ClassifyBody,
                        BatchBody,
                        LabelSetBody,
                        FeedbackBody,
                        FeedbackBatchBody,
                        ProblemBody,
                        *MODELS.values(),
                    )
                ],
                ref_template=_REF,
            )
            schemas |= definitions["$defs"]
            _document_keys(page)
            for batch, item in ((BatchBody, ClassifyBody), (FeedbackBatchBody, FeedbackBody)):
                schemas[batch.__name__]["properties"]["items"]["items"] = {
                    "$ref": _REF.format(model=item.__name__)
                }
        return page


def _document_keys(page: dict[str, Any]) -> None:
    page["components"]["securitySchemes"] = {
        "ApiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
        "Bearer": {"type": "http", "scheme": "bearer"},
    }
    for path, operations in page["paths"].items():
        if path not in OPEN_PATHS:
            for operation in operations.values():
                operation["security"] = [{"ApiKey": []}, {"Bearer": []}]
