"""The REST routes of feedback: labels for predictions that were answered before.

Who may give it: callers with the scope `feedback`. It does not pass the gate: it is no work for
Triton, and what bounds it is how much waits for the database.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response

from gateway.admission.deadline import Deadline
from gateway.api.authentication import principal_of
from gateway.api.body import read_body, received_in_time
from gateway.api.edge import observation_of
from gateway.api.feedback_schemas import (
    FeedbackAnswer,
    FeedbackBatchAnswer,
    FeedbackBatchBody,
    FeedbackBody,
    feedback_answer,
    to_sent,
)
from gateway.api.json_body import ENVELOPE_BYTES, parse, validate
from gateway.api.openapi import feedback_answers, feedback_request
from gateway.errors import GatewayError, PayloadTooLargeError, RequestError
from gateway.feedback.intake import Taken
from gateway.identity.principal import Scope, require

if TYPE_CHECKING:
    from gateway.feedback.intake import FeedbackIntake
    from gateway.feedback.verdict import SentFeedback
    from gateway.telemetry.metrics import Metrics

FEEDBACK_PATH: Final = "/v1/feedback"
FEEDBACK_BATCH_PATH: Final = "/v1/feedback:batch"

_ITEM_BYTES: Final = 64 * 1024
_BATCHED_ITEM_BYTES: Final = 4 * 1024  # on average; receipts take a few hundred bytes
_JSON: Final = "application/json"


class FeedbackApi:
    """The endpoints, and what they need.

    Args:
        intake: the use case.
        metrics: where faults of single items of a batch are counted.
        budget_s: longest time that a body may take to arrive, in seconds.
    """

    def __init__(self, intake: FeedbackIntake, metrics: Metrics, *, budget_s: float) -> None:
        self._intake = intake
        self._metrics = metrics
        self._budget_s = budget_s

    def routes(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter(tags=["feedback"])
        router.add_api_route(
            FEEDBACK_PATH,
            self.give,
            methods=["POST"],
            summary="Say what was true of a prediction",
            response_model=None,
            responses=feedback_answers(FeedbackAnswer),
            openapi_extra=feedback_request(
                FeedbackBody, {"prediction_id": "pred_AX1…", "label": "Animals & Nature"}
            ),
        )
        router.add_api_route(
            FEEDBACK_BATCH_PATH,
            self.give_batch,
            methods=["POST"],
            summary="The same of several, each with its own answer or problem",
            response_model=None,
            responses=feedback_answers(FeedbackBatchAnswer),
            openapi_extra=feedback_request(
                FeedbackBatchBody,
                {"items": [{"prediction_id": "pred_AX1…", "label": "Objects"}]},
            ),
        )
        return router

    async def give(self, request: Request) -> Response:
        """Answered when it is committed. The same label again changes nothing; another corrects."""
        value = await self._read(request, _ITEM_BYTES)
        (outcome,) = await self._intake.take([_read_item(value)], principal_of(request).key_id)
        self._intake.count(outcome)
        if isinstance(outcome, GatewayError):
            raise outcome
        return _json_response(feedback_answer(outcome))

    async def give_batch(self, request: Request) -> Response:
        """All good items are committed together; a bad one fails alone. Their order is kept."""
        limit = self._intake.limits.max_items
        value = await self._read(request, ENVELOPE_BYTES + limit * _BATCHED_ITEM_BYTES)
        batch = validate(FeedbackBatchBody, value)
        if len(batch.items) > limit:
            raise PayloadTooLargeError(
                "too_many_items",
                f"A batch holds at most {limit} items; split it.",
                field="items",
                limit=limit,
                actual=len(batch.items),
            )
        items = [_read_item(each) for each in batch.items]
        outcomes = await self._intake.take(items, principal_of(request).key_id)
        return _json_response({"items": [self._entry(each, request) for each in outcomes]})

    async def _read(self, request: Request, max_bytes: int) -> Any:  # noqa: ANN401 - any JSON value
        require(principal_of(request), Scope.FEEDBACK)
        self._intake.require_ready()
        deadline = Deadline(time.perf_counter(), self._budget_s)
        return parse(await received_in_time(read_body(request, max_bytes), request, deadline))

    def _entry(self, outcome: Taken | GatewayError, request: Request) -> dict[str, Any]:
        self._intake.count(outcome)
        if isinstance(outcome, Taken):
            return {"result": feedback_answer(outcome)}
        return {"problem": observation_of(request).note_error(outcome, self._metrics).to_json()}


def _read_item(value: Any) -> SentFeedback | GatewayError:  # noqa: ANN401 - any JSON value
    try:
        return to_sent(validate(FeedbackBody, value))
    except RequestError as error:
        return error


def _json_response(answer: dict[str, Any]) -> Response:
    return Response(json.dumps(answer, ensure_ascii=False).encode(), media_type=_JSON)
