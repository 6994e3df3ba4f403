"""The REST routes that classify."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation

from gateway.admission.forecast import WorkKind
from gateway.api import json_body, multipart
from gateway.api.answers import classification_answer
from gateway.api.authentication import principal_of
from gateway.api.body import BodyChunks, read_body, received_in_time
from gateway.api.departure import CancelOnDisconnect
from gateway.api.edge import headers_in, observation_of
from gateway.api.envelope import EnvelopeLimits, Item, RequestOrigin, to_request
from gateway.api.gate import BATCH_PATH, CLASSIFY_PATH, ticket_of
from gateway.api.json_answer import JsonAnswer
from gateway.api.label_work import TicketLabelWork, label_kind, label_places
from gateway.api.lessons import learn
from gateway.api.openapi import BATCH_REQUEST, CLASSIFY_REQUEST, answers
from gateway.api.schemas import BatchAnswer, ClassifyAnswer
from gateway.api.subject import subject_of
from gateway.errors import DeadlineExceededError, GatewayError, UnsupportedContentTypeError
from gateway.telemetry.tracing import names
from gateway.telemetry.tracing.span import stage
from gateway.value import value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from gateway.admission.rate_limits import RateLimits
    from gateway.admission.ticket import Ticket
    from gateway.api.direct import Endpoint
    from gateway.api.image_urls import ImageUrls
    from gateway.api.observation import Observation
    from gateway.classification.live import LiveClassifier
    from gateway.classification.values import ClassifyRequest
    from gateway.routing.router import Decision
    from gateway.telemetry.metrics import Metrics

_JSON: Final = "application/json"
_MULTIPART: Final = "multipart/form-data"


@value
class _Job:
    """An item that is known to be good, and who answers it."""

    request: ClassifyRequest
    decision: Decision
    new_prompts: int
    """Labels, within prompts, that are to be embedded first."""

    @property
    def kind(self) -> WorkKind:
        return WorkKind(self.decision.variant.name, self.request.modalities)

    @property
    def kinds(self) -> list[WorkKind]:
        """All its work, the item's own first."""
        return [self.kind, *[label_kind(self.decision.variant.name)] * self.new_prompts]

    @property
    def places(self) -> int:
        """How much of it is in the backend at a time."""
        return 1 + label_places(self.new_prompts)


class ClassificationApi:
    """The two endpoints, and what they need.

    Args:
        classifier: the use case.
        limits: of the envelope.
        rate_limits: are told how many items a batch holds.
        image_urls: fetches images that are named by URL.
        metrics: where faults of single items of a batch are counted.
    """

    def __init__(
        self,
        classifier: LiveClassifier,
        limits: EnvelopeLimits,
        rate_limits: RateLimits,
        image_urls: ImageUrls,
        metrics: Metrics,
    ) -> None:
        self._classifier = classifier
        self._limits = limits
        self._rate_limits = rate_limits
        self._image_urls = image_urls
        self._metrics = metrics
        self._max_json_bytes = json_body.max_json_bytes(limits)
        self._max_multipart_bytes = multipart.max_body_bytes(limits)

    def posts(self) -> Mapping[str, Endpoint]:
        """Returns what answers each path, for `DirectRoutes`."""
        return {CLASSIFY_PATH: self.classify, BATCH_PATH: self.classify_batch}

    def routes(self) -> APIRouter:
        """Returns the routes, documented by hand: the bodies are read from the socket."""
        router = APIRouter(tags=["classification"])
        router.add_api_route(
            CLASSIFY_PATH,
            self.classify,
            methods=["POST"],
            summary="Classify an image, a text, or both",
            response_model=None,
            responses=answers(ClassifyAnswer),
            openapi_extra=CLASSIFY_REQUEST,
        )
        router.add_api_route(
            BATCH_PATH,
            self.classify_batch,
            methods=["POST"],
            summary="Classify several items, each with its own answer or problem",
            response_model=None,
            responses=answers(BatchAnswer),
            openapi_extra=BATCH_REQUEST,
        )
        return router

    async def classify(self, request: Request) -> Response:
        """An image file, a text, or both; as a form or as JSON."""
        observation, ticket = observation_of(request), ticket_of(request)
        with stage(names.RECEIVE):
            item = await received_in_time(self._read_item(request), request, ticket.deadline)
        item = await self._image_urls.fetch_admitted(item, ticket)
        job = await self._prepare(item, _origin(request), observation)
        ticket.start(job.kinds, job.places)
        with CancelOnDisconnect(request):
            answer = await self._answer(job, ticket)
        return JsonAnswer(answer)

    async def classify_batch(self, request: Request) -> Response:
        """The items run side by side. A bad item fails alone; the answer keeps their order."""
        observation, ticket = observation_of(request), ticket_of(request)
        _require_media_type(request, _JSON)
        with stage(names.RECEIVE):
            reading = read_body(request, self._limits.max_batch_body_bytes)
            body = await received_in_time(reading, request, ticket.deadline)
            sent = await json_body.read_items(body, self._limits)
        self._rate_limits.take(principal_of(request), len(sent) - 1)  # the gate took one
        items = await self._image_urls.fetch_batch(sent, ticket)
        origin = _origin(request)
        jobs = [await self._try_prepare(item, origin, observation) for item in items]
        if good := [job for job in jobs if isinstance(job, _Job)]:
            _start(ticket, good)
        with CancelOnDisconnect(request):
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._batch_entry(job, observation, ticket)) for job in jobs
                ]
        return JsonAnswer({"items": [task.result() for task in tasks]})

    async def _read_item(self, request: Request) -> Item:
        content_type = headers_in(request.scope).get("content-type", "")
        media_type = _require_media_type(request, _MULTIPART, _JSON)
        if media_type == _MULTIPART:
            chunks = BodyChunks(request, self._max_multipart_bytes)
            return await multipart.read_multipart(content_type, chunks, self._limits)
        return await json_body.read_item(await read_body(request, self._max_json_bytes))

    async def _prepare(self, item: Item, origin: RequestOrigin, observation: Observation) -> _Job:
        request = to_request(item, origin, self._limits)
        observation.note_item(None, request.modalities)
        request = await self._classifier.with_labels(request)
        decision = self._classifier.decide(request)
        observation.note_item(decision.variant.name, None)
        request = self._classifier.reduce(request, decision)
        return _Job(request, decision, self._classifier.new_prompts(request, decision))

    async def _try_prepare(
        self, item: Item | GatewayError, origin: RequestOrigin, observation: Observation
    ) -> _Job | GatewayError:
        try:
            if isinstance(item, GatewayError):
                return item
            return await self._prepare(item, origin, observation)
        except GatewayError as error:
            return error

    async def _answer(self, job: _Job, ticket: Ticket) -> dict[str, Any]:
        routed = await self._classifier.classify(
            job.request,
            job.decision,
            on_reused=lambda: ticket.relieve(job.kind),
            label_work=TicketLabelWork(ticket, label_kind(job.decision.variant.name)),
        )
        learn(ticket, job.kind, routed.classification)
        return classification_answer(routed)

    async def _batch_entry(
        self, job: _Job | GatewayError, observation: Observation, ticket: Ticket
    ) -> dict[str, Any]:
        try:
            if isinstance(job, GatewayError):
                raise job
            return {"result": await self._answer(job, ticket)}
        except GatewayError as error:
            if isinstance(error, DeadlineExceededError):
                ticket.miss()
            return {"problem": observation.note_error(error, self._metrics).to_json()}


def _start(ticket: Ticket, jobs: Sequence[_Job]) -> None:
    # Items of a batch mostly share their labels, and these are embedded once: the largest count.
    most = max(jobs, key=lambda job: job.new_prompts)
    labels, places = most.kinds[1:], label_places(most.new_prompts)
    ticket.start([*(job.kind for job in jobs), *labels], len(jobs) + places)


def _origin(request: Request) -> RequestOrigin:
    request_id, ticket = observation_of(request).request_id, ticket_of(request)
    key_id = principal_of(request).proved_id
    subject = subject_of(headers_in(request.scope).items(), request_id, key_id)
    return RequestOrigin(
        request_id, ticket.deadline, ticket.arrival.client, subject, ticket.placement
    )


def _require_media_type(request: Request, *accepted: str) -> str:
    content_type = headers_in(request.scope).get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in accepted:
        raise UnsupportedContentTypeError(
            "content_type_unsupported",
            f"Content-Type must be {' or '.join(accepted)}.",
            field="Content-Type",
        )
    return media_type
