"""The REST application and the gRPC server, over collaborators that are made already."""

from __future__ import annotations

import time
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException

from gateway.api.admin import AdminApi
from gateway.api.authentication import Authentication
from gateway.api.direct import DirectRoutes
from gateway.api.edge import Edge
from gateway.api.feedback import FeedbackApi
from gateway.api.feedback_summary import FeedbackSummaryApi
from gateway.api.gate import Gate
from gateway.api.grpc_feedback import FeedbackService
from gateway.api.grpc_server import GrpcServer
from gateway.api.grpc_service import ClassifierService
from gateway.api.image_urls import ImageUrls
from gateway.api.label_sets import LabelSetsApi
from gateway.api.openapi import DocumentedApi
from gateway.api.operations import OperationsApi
from gateway.api.pages.routes import PagesApi
from gateway.api.ramp_api import RampApi
from gateway.api.rest import ClassificationApi
from gateway.api.traffic_api import TrafficApi
from gateway.api.unrouted import pass_to_edge
from gateway.ramping.admin import RampAdmin
from gateway.ramping.results import ResultsReader
from gateway.telemetry.exposition import expose

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp

    from gateway.collaborators import Collaborators

_DESCRIPTION: Final = "Classifies an image, a text, or both, with a model that Triton serves."


def create_app(parts: Collaborators) -> ASGIApp:
    """Makes the REST application.

    What every request passes stands around FastAPI and not within: there, layers of its own that
    have nothing to do would stand around that (decision 26).
    """
    classification = ClassificationApi(
        parts.classifier,
        parts.limits,
        parts.entrance.rate_limits,
        ImageUrls(parts.image_fetcher),
        parts.metrics,
    )
    direct = DirectRoutes(_create_api(parts, classification), classification.posts())
    gate = Gate(direct, parts.entrance, batch_budget_s=parts.settings.batch_budget_ms / 1000)
    return Edge(
        Authentication(gate, parts.entrance.key_ring),
        parts.access_log,
        is_draining=lambda: parts.readiness.is_draining,
    )


def _create_api(parts: Collaborators, classification: ClassificationApi) -> FastAPI:
    """Makes all routes, and the page that documents them."""
    app = DocumentedApi(
        title="Diptych",
        version=version("diptych"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: pass_to_edge, Exception: pass_to_edge},
        # Its own spans and logs would hold queries, and the texts of exceptions.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.include_router(classification.routes())
    app.include_router(
        LabelSetsApi(
            parts.label_sets,
            parts.labels,
            lambda: parts.fleet.catalog,
            parts.entrance,
            parts.limits.labels,
            budget_s=parts.settings.batch_budget_ms / 1000,
        ).routes()
    )
    app.include_router(
        FeedbackApi(
            parts.feedback, parts.metrics, budget_s=parts.settings.batch_budget_ms / 1000
        ).routes()
    )
    app.include_router(FeedbackSummaryApi(parts.database).routes())
    app.include_router(
        OperationsApi(
            lambda: parts.fleet.catalog,
            parts.router,
            parts.readiness,
            partial(expose, parts.metrics.registry, parts.place),
            parts.watching.reference_state,
        ).routes()
    )
    app.include_router(
        TrafficApi(parts.traffic, lambda: parts.fleet.catalog, parts.router, parts.metrics).routes()
    )
    app.include_router(AdminApi(parts.traffic_admin, parts.traffic).routes())
    app.include_router(
        RampApi(
            ResultsReader(parts.database, parts.tallies, time.monotonic),
            RampAdmin(parts.database, parts.traffic),
            parts.router,
            parts.metrics.shadows,
        ).routes()
    )
    if parts.settings.has_pages:
        app.include_router(PagesApi(parts.settings.samples_folder).routes())
    return app


def create_grpc_server(parts: Collaborators) -> GrpcServer:
    """Makes the gRPC server. To be called inside the event loop."""
    service = ClassifierService(
        parts.classifier,
        parts.limits,
        parts.entrance,
        ImageUrls(parts.image_fetcher),
        parts.readiness,
        parts.access_log,
    )
    return GrpcServer(
        service,
        FeedbackService(parts.feedback, parts.entrance, parts.access_log),
        parts.readiness,
        parts.limits,
        parts.connection_limits,
        has_siblings=parts.place is not None,
    )
