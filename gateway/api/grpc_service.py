"""The gRPC service that classifies: one call, or a stream of items answered as they are ready."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import grpc

from gateway.admission.forecast import WorkKind
from gateway.api.authentication import key_in
from gateway.api.caller import arrival_of
from gateway.api.envelope import EnvelopeLimits, RequestOrigin, to_request
from gateway.api.grpc_messages import to_item, to_problem_message, to_response
from gateway.api.label_work import TicketLabelWork, label_kind, label_places
from gateway.api.lessons import learn
from gateway.api.observation import Observation, request_id_from
from gateway.api.problems import Problem, to_problem
from gateway.api.proto.diptych.v1 import classify_pb2, classify_pb2_grpc
from gateway.api.request_span import GRPC, begin_grpc_span
from gateway.api.subject import subject_of
from gateway.errors import AccessError, DrainingError
from gateway.identity.principal import Scope, require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from gateway.api.access_log import AccessLog
    from gateway.api.entrance import Entrance
    from gateway.api.image_urls import ImageUrls
    from gateway.classification.live import LiveClassifier
    from gateway.identity.principal import Principal
    from gateway.readiness import Readiness
    from gateway.telemetry.tracing.span import ServerSpan

PROBLEM_KEY: Final = "diptych-problem-bin"
_REQUEST_ID_KEY: Final = "x-request-id"
_SERVICE: Final = classify_pb2.DESCRIPTOR.services_by_name["Classifier"].full_name


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what the call's metadata say."""

    said: Mapping[str, str]
    peer: str

    @classmethod
    def of(cls, context: grpc.aio.ServicerContext) -> Caller:
        """Reads a call's."""
        # "ipv4:10.0.0.1:4711" or "ipv6:%5B::1%5D:4711": the address as REST has it, for a client
        # is the same over both, and its port differs from connection to connection.
        address = unquote(context.peer()).partition(":")[2].rpartition(":")[0].strip("[]")
        said = dict(context.invocation_metadata() or ())
        return cls({key: value for key, value in said.items() if isinstance(value, str)}, address)


class ClassifierService(classify_pb2_grpc.ClassifierServicer):
    """Translates between the messages and the use case.

    Args:
        classifier: the use case.
        limits: of the envelope.
        entrance: lets each call and each message of a stream in, or refuses it.
        image_urls: fetches images that are named by URL.
        readiness: says when streams are to end.
        access_log: where requests end, and what is wrong with them is counted.
    """

    def __init__(
        self,
        classifier: LiveClassifier,
        limits: EnvelopeLimits,
        entrance: Entrance,
        image_urls: ImageUrls,
        readiness: Readiness,
        access_log: AccessLog,
    ) -> None:
        self._classifier = classifier
        self._limits = limits
        self._entrance = entrance
        self._image_urls = image_urls
        self._readiness = readiness
        self._access_log = access_log

    async def Classify(  # noqa: N802 - the name in the contract
        self, request: classify_pb2.ClassifyRequest, context: grpc.aio.ServicerContext
    ) -> classify_pb2.ClassifyResponse:
        """Classifies one item."""
        observation = _observe(context, "Classify")
        status = grpc.StatusCode.CANCELLED
        try:
            caller = Caller.of(context)
            response = await self._answer(request, observation, caller, context.time_remaining())
            status = grpc.StatusCode.OK
        except Exception as error:
            problem = observation.note_error(error, self._access_log.metrics)
            status = problem.kind.grpc_status
            await abort(context, problem, observation.request_id)
            raise  # unreachable: abort raises
        finally:
            self._access_log.finish(observation, status.name)
        context.set_trailing_metadata(((_REQUEST_ID_KEY, observation.request_id),))
        return response

    async def ClassifyStream(  # noqa: N802 - the name in the contract
        self,
        request_iterator: AsyncIterator[classify_pb2.ClassifyStreamRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[classify_pb2.ClassifyStreamResponse]:
        """Classifies the items of a stream side by side.

        When the process shuts down it reads no further message, answers those it has read, and ends
        the stream with UNAVAILABLE.
        """
        request_id = request_id_of(context)
        caller = Caller.of(context)
        await self._end_if_denied(context, caller)
        slots = asyncio.Semaphore(self._limits.max_stream_concurrency)
        answers: asyncio.Queue[classify_pb2.ClassifyStreamResponse | None] = asyncio.Queue()

        async def answer(message: classify_pb2.ClassifyStreamRequest) -> None:
            answers.put_nowait(await self._stream_answer(message, caller, request_id))

        async def read(group: asyncio.TaskGroup) -> None:
            await slots.acquire()  # before reading, so that all that was read is being answered
            async for message in request_iterator:
                group.create_task(answer(message))
                await slots.acquire()

        async def serve() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    reading = group.create_task(read(group))
                    drained = group.create_task(self._readiness.wait_for_drain())
                    await asyncio.wait((reading, drained), return_when=asyncio.FIRST_COMPLETED)
                    reading.cancel()
                    drained.cancel()
            finally:
                answers.put_nowait(None)

        serving = asyncio.create_task(serve())
        try:
            while (response := await answers.get()) is not None:
                yield response
                slots.release()
            await serving
        finally:
            serving.cancel()
            await asyncio.wait((serving,))
        if self._readiness.is_draining:
            await abort(context, to_problem(DrainingError(), request_id), request_id)

    async def _end_if_denied(self, context: grpc.aio.ServicerContext, caller: Caller) -> None:
        observation = _observe(context, "ClassifyStream")
        try:
            self._authenticate(caller, observation)
        except AccessError as error:
            observation.span = self._begin_span(observation, caller)
            problem = observation.note_error(error, self._access_log.metrics)
            self._access_log.finish(observation, problem.kind.grpc_status.name)
            await abort(context, problem, observation.request_id)

    def _authenticate(self, caller: Caller, observation: Observation) -> Principal:
        principal = self._entrance.key_ring.authenticate(key_in(caller.said))
        observation.key_id = principal.key_id
        require(principal, Scope.CLASSIFY)
        return principal

    async def _stream_answer(
        self,
        message: classify_pb2.ClassifyStreamRequest,
        caller: Caller,
        request_id: str,
    ) -> classify_pb2.ClassifyStreamResponse:
        observation = Observation(request_id, GRPC, _route("ClassifyStream"))
        status = grpc.StatusCode.CANCELLED
        try:
            result = await self._answer(message.request, observation, caller, None)
            status = grpc.StatusCode.OK
            return classify_pb2.ClassifyStreamResponse(client_id=message.client_id, result=result)
        except Exception as error:  # noqa: BLE001 - a message that fails must not end the stream
            problem = observation.note_error(error, self._access_log.metrics)
            status = problem.kind.grpc_status
            return classify_pb2.ClassifyStreamResponse(
                client_id=message.client_id, problem=to_problem_message(problem)
            )
        finally:
            self._access_log.finish(observation, status.name)

    def _begin_span(self, observation: Observation, caller: Caller) -> ServerSpan:
        return begin_grpc_span(self._access_log.tracer, observation, caller.said)

    async def _answer(
        self,
        message: classify_pb2.ClassifyRequest,
        observation: Observation,
        caller: Caller,
        time_remaining_s: float | None,
    ) -> classify_pb2.ClassifyResponse:
        observation.span = self._begin_span(observation, caller)
        with observation.span:
            return await self._classify(message, observation, caller, time_remaining_s)

    async def _classify(
        self,
        message: classify_pb2.ClassifyRequest,
        observation: Observation,
        caller: Caller,
        time_remaining_s: float | None,
    ) -> classify_pb2.ClassifyResponse:
        principal = self._authenticate(caller, observation)
        deadline = self._entrance.admission.deadline(observation.arrived_s).lowered_to(
            time_remaining_s
        )
        arrival = arrival_of(caller.said, deadline, principal, caller.peer)
        if message.HasField("allow_degraded"):
            arrival = replace(arrival, allows_degraded=message.allow_degraded)
        subject = subject_of(caller.said.items(), observation.request_id, principal.proved_id)
        origin = RequestOrigin(observation.request_id, arrival.deadline, arrival.client, subject)
        item = await self._image_urls.fetch(to_item(message), arrival.deadline)
        request = to_request(item, origin, self._limits)
        observation.note_item(None, request.modalities)
        request = await self._classifier.with_labels(request)
        decision = self._classifier.decide(request)
        observation.note_item(decision.variant.name, None)
        kind = WorkKind(decision.variant.name, request.modalities)
        with self._entrance.admit(principal, arrival, kind) as ticket:
            placed = replace(request, placement=ticket.placement)
            request = self._classifier.reduce(placed, decision)
            kind = WorkKind(decision.variant.name, request.modalities)
            labels = self._classifier.new_prompts(request, decision)
            text_kind = label_kind(decision.variant.name)
            ticket.start([kind, *[text_kind] * labels], 1 + label_places(labels))
            routed = await self._classifier.classify(
                request,
                decision,
                on_reused=lambda: ticket.relieve(kind),
                label_work=TicketLabelWork(ticket, text_kind),
            )
            learn(ticket, kind, routed.classification)
        return to_response(routed)


def _route(method: str) -> str:
    return f"{_SERVICE}/{method}"


def request_id_of(context: grpc.aio.ServicerContext) -> str:
    """Returns the id that the caller sent when it is well formed, else a new one."""
    sent = dict(context.invocation_metadata() or ()).get(_REQUEST_ID_KEY)
    return request_id_from(sent if isinstance(sent, str) else None)


def _observe(context: grpc.aio.ServicerContext, method: str) -> Observation:
    return Observation(request_id_of(context), GRPC, _route(method))


async def abort(context: grpc.aio.ServicerContext, problem: Problem, request_id: str) -> None:
    """Ends the call with the problem's status; raises, as `context.abort` does."""
    metadata = (
        (PROBLEM_KEY, json.dumps(problem.to_json()).encode()),
        (_REQUEST_ID_KEY, request_id),
    )
    await context.abort(problem.kind.grpc_status, problem.detail, metadata)
