"""The gRPC service of feedback: one message, with as many items as there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import grpc

from gateway.api.authentication import key_in
from gateway.api.grpc_messages import to_problem_message
from gateway.api.grpc_service import Caller, abort, request_id_of
from gateway.api.observation import Observation
from gateway.api.proto.diptych.v1 import feedback_pb2, feedback_pb2_grpc
from gateway.api.request_span import GRPC, begin_grpc_span
from gateway.errors import GatewayError, MalformedRequestError, PayloadTooLargeError
from gateway.feedback.verdict import SentFeedback, Verdict
from gateway.identity.principal import Scope, require

if TYPE_CHECKING:
    from gateway.api.access_log import AccessLog
    from gateway.api.entrance import Entrance
    from gateway.feedback.intake import FeedbackIntake, Taken

_SERVICE: Final = feedback_pb2.DESCRIPTOR.services_by_name["Feedback"].full_name
_ROUTE: Final = f"{_SERVICE}/GiveFeedback"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_LAST_MS: Final = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // _MS


class FeedbackService(feedback_pb2_grpc.FeedbackServicer):
    """Translates between the messages and the use case.

    Args:
        intake: the use case.
        entrance: says who calls.
        access_log: where requests end, and what is wrong with them is counted.
    """

    def __init__(self, intake: FeedbackIntake, entrance: Entrance, access_log: AccessLog) -> None:
        self._intake = intake
        self._entrance = entrance
        self._access_log = access_log

    async def GiveFeedback(  # noqa: N802 - the name in the contract
        self, request: feedback_pb2.GiveFeedbackRequest, context: grpc.aio.ServicerContext
    ) -> feedback_pb2.GiveFeedbackResponse:
        """Records the items of one message."""
        observation = Observation(request_id_of(context), GRPC, _ROUTE)
        status = grpc.StatusCode.CANCELLED
        try:
            caller = Caller.of(context)
            observation.span = begin_grpc_span(self._access_log.tracer, observation, caller.said)
            with observation.span:
                response = await self._give(request, observation, caller)
            status = grpc.StatusCode.OK
        except Exception as error:
            problem = observation.note_error(error, self._access_log.metrics)
            status = problem.kind.grpc_status
            await abort(context, problem, observation.request_id)
            raise  # unreachable: abort raises
        finally:
            self._access_log.finish(observation, status.name)
        return response

    async def _give(
        self,
        request: feedback_pb2.GiveFeedbackRequest,
        observation: Observation,
        caller: Caller,
    ) -> feedback_pb2.GiveFeedbackResponse:
        principal = self._entrance.key_ring.authenticate(key_in(caller.said))
        observation.key_id = principal.key_id
        require(principal, Scope.FEEDBACK)
        limit, count = self._intake.limits.max_items, len(request.items)
        if not count:
            raise MalformedRequestError(
                "items_missing", "The message has no items; send at least one.", field="items"
            )
        if count > limit:
            raise PayloadTooLargeError(
                "too_many_items",
                f"A message holds at most {limit} items; split it.",
                field="items",
                limit=limit,
                actual=count,
            )
        items = [_read_item(each) for each in request.items]
        outcomes = await self._intake.take(items, principal.key_id)
        return feedback_pb2.GiveFeedbackResponse(
            items=[self._outcome(each, observation) for each in outcomes]
        )

    def _outcome(
        self, outcome: Taken | GatewayError, observation: Observation
    ) -> feedback_pb2.FeedbackOutcome:
        self._intake.count(outcome)
        if isinstance(outcome, GatewayError):
            problem = observation.note_error(outcome, self._access_log.metrics)
            return feedback_pb2.FeedbackOutcome(problem=to_problem_message(problem))
        result = feedback_pb2.FeedbackResult(
            status=outcome.status,
            variant=outcome.receipt.variant,
            predicted_at_ms=(outcome.receipt.issued_at - _EPOCH) // _MS,
        )
        return feedback_pb2.FeedbackOutcome(result=result)


def _read_item(message: feedback_pb2.FeedbackItem) -> SentFeedback | GatewayError:
    try:
        return SentFeedback(
            message.prediction_id,
            _verdict(message.verdict, "verdict") if message.HasField("verdict") else None,
            {name: _verdict(each, "tasks") for name, each in message.tasks.items()},
            _moment(message.labelled_at_ms) if message.HasField("labelled_at_ms") else None,
            message.sampling_probability if message.HasField("sampling_probability") else 1.0,
        )
    except GatewayError as error:
        return error


def _verdict(message: feedback_pb2.TaskVerdict, field: str) -> Verdict:
    match message.WhichOneof("said"):
        case "label":
            return Verdict(label=message.label)
        case "labels":
            return Verdict(labels=tuple(message.labels.labels))
        case "is_unsure" if message.is_unsure:
            return Verdict(is_unsure=True)
    raise MalformedRequestError(
        "verdict_missing",
        "Nothing is said of a task: give label, labels or is_unsure.",
        field=field,
    )


def _moment(since_epoch_ms: int) -> datetime:
    if not 0 <= since_epoch_ms <= _LAST_MS:
        raise MalformedRequestError(
            "labelled_at_invalid",
            "labelled_at_ms is no moment in milliseconds since 1970.",
            field="labelled_at_ms",
        )
    return _EPOCH + since_epoch_ms * _MS
