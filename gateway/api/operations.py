"""The REST routes for operators and for people: models, health, metrics, documentation."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import HTMLResponse, Response

from gateway.api.answers import models_answer
from gateway.api.docs_page import render_docs
from gateway.api.schemas import LiveAnswer, ModelsAnswer, ReadyAnswer
from gateway.api.security_headers import page_headers
from gateway.errors import VariantUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.catalog import Catalog
    from gateway.readiness import Readiness
    from gateway.routing.router import Decision, Router
    from gateway.watching.references import ReferenceState


class OperationsApi:
    """The endpoints, and what they need.

    Args:
        catalog: returns what is served now.
        router: knows the default variant.
        readiness: whether this process should get traffic.
        expose: returns all metrics in the Prometheus text format.
        reference_state: what is known of the drift reference of a variant's digest.
    """

    def __init__(
        self,
        catalog: Callable[[], Catalog],
        router: Router,
        readiness: Readiness,
        expose: Callable[[], bytes],
        reference_state: Callable[[str], ReferenceState],
    ) -> None:
        self._catalog = catalog
        self._router = router
        self._readiness = readiness
        self._expose = expose
        self._reference_state = reference_state

    def routes(self) -> APIRouter:
        """Returns the routes."""
        router = APIRouter(tags=["operation"])
        router.add_api_route(
            "/v1/models",
            self.models,
            response_model=None,
            responses={200: {"model": ModelsAnswer}},
            summary="Variants, labels, modalities, digest and quality",
        )
        router.add_api_route(
            "/livez",
            self.live,
            response_model=None,
            responses={200: {"model": LiveAnswer}},
            summary="Whether the process runs",
        )
        router.add_api_route(
            "/readyz",
            self.ready,
            response_model=None,
            responses={
                200: {"model": ReadyAnswer, "description": "Ready"},
                503: {"model": ReadyAnswer, "description": "Not ready"},
            },
            summary="Whether this instance should get traffic, and if not, why",
        )
        router.add_api_route(
            "/metrics",
            self.metrics,
            response_model=None,
            response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
            summary="Metrics in the Prometheus text format",
        )
        router.add_api_route("/docs", self.docs, include_in_schema=False)
        return router

    async def models(self) -> Response:
        """What can be asked for in `variant`, and what is not routed with the reason."""
        router = self._router
        return _json_response(
            models_answer(
                self._catalog(),
                self._default(),
                router.plan,
                router.gates(),
                time.time(),
                self._reference_state,
            )
        )

    async def live(self) -> Response:
        """Says yes as long as the event loop turns; Triton has no part in it."""
        return _json_response({"is_alive": True})

    async def ready(self) -> Response:
        """Asks Triton itself, the catalog and the state of this process."""
        reasons = await self._readiness.reasons_against()
        return _json_response(
            {"is_ready": not reasons, "reasons": reasons}, status=503 if reasons else 200
        )

    async def metrics(self) -> Response:
        """All metrics of the gateway."""
        # In a pod it reads files of every worker.
        return Response(await asyncio.to_thread(self._expose), media_type=CONTENT_TYPE_LATEST)

    async def docs(self, request: Request) -> HTMLResponse:
        """The OpenAPI page for people."""
        return HTMLResponse(
            render_docs(request.app.openapi()),
            headers=page_headers("style-src 'unsafe-inline'"),
        )

    def _default(self) -> Decision | None:
        try:
            return self._router.default()
        except VariantUnavailableError:
            return None


def _json_response(answer: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(answer).encode(), status, media_type="application/json")
