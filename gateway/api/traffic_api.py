"""The REST route that shows live traffic to everyone who may call the service."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import Response

from gateway.api.traffic_answers import TrafficAnswer, traffic_answer
from gateway.errors import VariantUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.catalog import Catalog
    from gateway.routing.router import Decision, Router
    from gateway.telemetry.metrics import Metrics
    from gateway.traffic.live import LiveTraffic


class TrafficApi:
    """The endpoint, and what it needs.

    Args:
        live: what is in force.
        catalog: returns what is served now.
        router: knows the default and which arms get no traffic.
        metrics: what came of each arm.
    """

    def __init__(
        self,
        live: LiveTraffic,
        catalog: Callable[[], Catalog],
        router: Router,
        metrics: Metrics,
    ) -> None:
        self._live = live
        self._catalog = catalog
        self._router = router
        self._metrics = metrics

    def routes(self) -> APIRouter:
        """Returns the route."""
        router = APIRouter(tags=["operation"])
        router.add_api_route(
            "/v1/experiments",
            self.experiments,
            summary="Experiments, shadows, shares, gated arms, and what came of each arm",
            response_model=None,
            responses={200: {"model": TrafficAnswer}},
        )
        return router

    async def experiments(self) -> Response:
        """Figures are of this process since its start."""
        answer = traffic_answer(
            self._live,
            self._catalog(),
            self._router.gates(),
            self._default(),
            self._metrics,
            time.time(),
        )
        return Response(json.dumps(answer).encode(), media_type="application/json")

    def _default(self) -> Decision | None:
        try:
            return self._router.default()
        except VariantUnavailableError:
            return None
