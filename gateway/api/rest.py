"""The REST routes that classify."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response

from gateway.api import json_body, multipart
from gateway.api.answers import classification_answer
from gateway.api.body import CancelOnDisconnect, read_body, read_chunks
from gateway.api.edge import observation_of
from gateway.api.envelope import EnvelopeLimits, Item, RequestOrigin, to_request
from gateway.api.openapi import BATCH_REQUEST, CLASSIFY_REQUEST, answers
from gateway.api.schemas import BatchAnswer, ClassifyAnswer
from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    RequestError,
    UnsupportedContentTypeError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.admission.in_flight import InFlightLimit
    from gateway.api.observation import Observation
    from gateway.classification.classifier import Classifier
    from gateway.telemetry.metrics import Metrics

_JSON: Final = "application/json"
_MULTIPART: Final = "multipart/form-data"


class ClassificationApi:
    """The two endpoints, and what they need.

    Args:
        classifier: the use case.
        limits: of the envelope.
        in_flight: refuses before a body is read.
        metrics: where faults of single items of a batch are counted.
        receive_timeout_s: longest time that a body may take to arrive.
    """

    def __init__(
        self,
        classifier: Classifier,
        limits: EnvelopeLimits,
        in_flight: InFlightLimit,
        metrics: Metrics,
        *,
        receive_timeout_s: float,
    ) -> None:
        self._classifier = classifier
        self._limits = limits
        self._in_flight = in_flight
        self._metrics = metrics
        self._receive_timeout_s = receive_timeout_s
        self._max_json_bytes = json_body.max_json_bytes(limits)
        self._max_multipart_bytes = (
            limits.max_image_bytes + limits.max_text_bytes + multipart.ENVELOPE_BYTES
        )

    def routes(self) -> APIRouter:
        """Returns the routes, documented by hand: the bodies are read from the socket."""
        router = APIRouter(tags=["classification"])
        router.add_api_route(
            "/v1/classify",
            self.classify,
            methods=["POST"],
            summary="Classify an image, a text, or both",
            response_model=None,
            responses=answers(ClassifyAnswer),
            openapi_extra=CLASSIFY_REQUEST,
        )
        router.add_api_route(
            "/v1/classify:batch",
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
        observation = observation_of(request)
        with self._in_flight:
            async with self._receive_timeout():
                item = await self._read_item(request)
            async with CancelOnDisconnect(request):
                answer = await self._answer(item, observation)
        return _json_response(answer)

    async def classify_batch(self, request: Request) -> Response:
        """The items run side by side. A bad item fails alone; the answer keeps their order."""
        observation = observation_of(request)
        with self._in_flight:
            _require_media_type(request, _JSON)
            async with self._receive_timeout():
                body = await read_body(request, self._limits.max_batch_body_bytes)
            items = await json_body.read_items(body, self._limits)
            async with CancelOnDisconnect(request), asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._batch_entry(item, observation)) for item in items]
        return _json_response({"items": [task.result() for task in tasks]})

    @asynccontextmanager
    async def _receive_timeout(self) -> AsyncIterator[None]:
        # A client that sends a byte now and then must not hold a place in flight for ever.
        try:
            async with asyncio.timeout(self._receive_timeout_s):
                yield
        except TimeoutError as error:
            raise DeadlineExceededError from error

    async def _read_item(self, request: Request) -> Item:
        content_type = request.headers.get("content-type", "")
        media_type = _require_media_type(request, _MULTIPART, _JSON)
        if media_type == _MULTIPART:
            chunks = read_chunks(request, self._max_multipart_bytes)
            return await multipart.read_multipart(content_type, chunks, self._limits)
        return await json_body.read_item(await read_body(request, self._max_json_bytes))

    async def _answer(self, item: Item, observation: Observation) -> dict[str, Any]:
        origin = RequestOrigin(observation.request_id, observation.arrived_s)
        request = to_request(item, origin, self._limits)
        observation.note_item(None, request.modalities)
        variant = self._classifier.assign(request.variant)
        observation.note_item(variant.name, None)
        return classification_answer(await self._classifier.classify(request, variant))

    async def _batch_entry(
        self, item: Item | RequestError, observation: Observation
    ) -> dict[str, Any]:
        try:
            if isinstance(item, RequestError):
                raise item
            return {"result": await self._answer(item, observation)}
        except GatewayError as error:
            return {"problem": observation.note_error(error, self._metrics).to_json()}


def _require_media_type(request: Request, *accepted: str) -> str:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in accepted:
        raise UnsupportedContentTypeError(
            "content_type_unsupported",
            f"Content-Type must be {' or '.join(accepted)}.",
            field="Content-Type",
        )
    return media_type


def _json_response(answer: dict[str, Any]) -> Response:
    return Response(json.dumps(answer, ensure_ascii=False).encode(), media_type=_JSON)
