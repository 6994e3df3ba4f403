"""The REST route of what feedback says of variants, for everyone who may call the service."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response

from gateway.api.admin_request import checked_number
from gateway.api.feedback_schemas import FeedbackSummaryAnswer
from gateway.api.openapi import feedback_answers
from gateway.errors import MalformedRequestError, StorageNotConfiguredError
from gateway.feedback.outcomes import OutcomeFilter
from gateway.routing.definitions import NAME_PATTERN
from gateway.suggestion import did_you_mean

if TYPE_CHECKING:
    from gateway.feedback.quality import Quality
    from gateway.storage.database import Database

SUMMARY_PATH: Final = "/v1/feedback/summary"
_DEFAULT_DAYS: Final = "7"
_MAX_DAYS: Final = 3650
_GROUPS: Final = ("variant", "arm")
_NAMES: Final = ("variant", "experiment", "task")
_PARAMETERS: Final = ("days", "group", *_NAMES)


class FeedbackSummaryApi:
    """The endpoint, and what it needs.

    Args:
        database: where feedback is, or None.
    """

    def __init__(self, database: Database | None) -> None:
        self._database = database

    def routes(self) -> APIRouter:
        """Returns the route."""
        router = APIRouter(tags=["feedback"])
        router.add_api_route(
            SUMMARY_PATH,
            self.summary,
            summary="Accuracy, macro F1, calibration and confidence from feedback",
            response_model=None,
            responses=feedback_answers(FeedbackSummaryAnswer),
            openapi_extra={"parameters": _documented_parameters()},
        )
        return router

    async def summary(self, request: Request) -> Response:
        """Each figure has a 95 % interval; all are corrected by `sampling_probability`."""
        query = dict(request.query_params)
        for name in query:
            if name not in _PARAMETERS:
                raise MalformedRequestError(
                    "parameter_unknown",
                    f"A parameter has a name that is not known. {did_you_mean(name, _PARAMETERS)}",
                    field=name[:64],
                )
        days = checked_number("days", query.get("days", _DEFAULT_DAYS), 1, _MAX_DAYS)
        group = query.get("group", "variant")
        if group not in _GROUPS:
            raise MalformedRequestError(
                "group_unknown", "group must be variant or arm.", field="group"
            )
        names: dict[str, str] = {
            name: _checked(name, query[name]) for name in _NAMES if name in query
        }
        if self._database is None:
            raise StorageNotConfiguredError
        # Loaded where it is used: SQLAlchemy, which is there when there is a database.
        from gateway.feedback.quality import read_quality

        since = datetime.now(UTC) - timedelta(days=days)
        wanted = OutcomeFilter(
            variant=names.get("variant"),
            experiment=names.get("experiment"),
            task=names.get("task"),
            since=since,
        )
        found = await self._database.read(
            lambda session: read_quality(session, wanted, by_arm=group == "arm")
        )
        answer = {
            "since": since.isoformat(),
            "group": group,
            "items": [_quality_answer(each) for each in found],
        }
        return Response(json.dumps(answer).encode(), media_type="application/json")


def _checked(name: str, value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value):
        raise MalformedRequestError(
            "name_invalid",
            f"{name} must have from 1 to 63 of a-z, 0-9, '_' and '-'.",
            field=name,
        )
    return value


def _quality_answer(quality: Quality) -> dict[str, Any]:
    return {
        **asdict(quality.group),
        "task": quality.group.task or None,
        "labels": quality.labels,
        "effective_labels": quality.effective_labels,
        **{
            name: asdict(figure) if figure is not None else None
            for name, figure in (
                ("accuracy", quality.accuracy),
                ("macro_f1", quality.macro_f1),
                ("calibration_error", quality.calibration_error),
                ("confidence", quality.confidence),
            )
        },
    }


def _documented_parameters() -> list[dict[str, Any]]:
    schemas: dict[str, dict[str, Any]] = {
        "days": {"type": "integer", "minimum": 1, "maximum": _MAX_DAYS, "default": 7},
        "group": {"type": "string", "enum": list(_GROUPS), "default": "variant"},
        **{name: {"type": "string", "pattern": NAME_PATTERN} for name in _NAMES},
    }
    meanings = {
        "days": "How far back predictions count.",
        "group": "What figures are of: variants, or arms of experiments, of which only those count "
        "that a draw decided.",
        "variant": "Of this variant alone.",
        "experiment": "Of this experiment alone.",
        "task": "Of this task alone.",
    }
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": schema,
            "description": meanings[name],
        }
        for name, schema in schemas.items()
    ]
