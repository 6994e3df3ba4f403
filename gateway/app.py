"""Wiring: makes the collaborators and hands them to the REST application and the gRPC server."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, NoReturn

from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException

from gateway.admission.admission import Admission
from gateway.admission.rate_limits import RateLimits
from gateway.api.authentication import Authentication
from gateway.api.edge import Edge
from gateway.api.entrance import Entrance
from gateway.api.envelope import EnvelopeLimits
from gateway.api.gate import Gate
from gateway.api.grpc_server import GrpcServer
from gateway.api.grpc_service import ClassifierService
from gateway.api.openapi import DocumentedApi
from gateway.api.operations import OperationsApi
from gateway.api.rest import ClassificationApi
from gateway.classification.classifier import Classifier
from gateway.classification.outputs import rows_bytes
from gateway.identity.key_ring import KeyRing
from gateway.readiness import Readiness
from gateway.reuse.answer_cache import AnswerCache
from gateway.reuse.answers import ReusedAnswers, ReusePolicy
from gateway.telemetry.metrics import Metrics
from gateway.triton.poller import CatalogPoller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI
    from starlette.requests import Request

    from gateway.identity.keys_file import KeySet
    from gateway.settings import Settings
    from gateway.storage.database import Database
    from gateway.triton.backend import InferenceBackend, Row

_DESCRIPTION: Final = "Classifies an image, a text, or both, with a model that Triton serves."


@dataclass(frozen=True)
class Collaborators:
    """All that the two servers need, made once."""

    settings: Settings
    metrics: Metrics
    poller: CatalogPoller
    readiness: Readiness
    classifier: Classifier
    entrance: Entrance
    limits: EnvelopeLimits
    database: Database | None


def make_collaborators(
    settings: Settings, backend: InferenceBackend, keys: KeySet
) -> Collaborators:
    """Makes everything but the servers and the backend. To be called inside the event loop."""
    metrics = Metrics(CollectorRegistry())
    metrics.set_api_keys(len(keys.records))
    poller = CatalogPoller(backend, metrics, settings.catalog_refresh_s)
    return Collaborators(
        settings=settings,
        metrics=metrics,
        poller=poller,
        readiness=Readiness(backend, poller),
        classifier=Classifier(
            backend,
            lambda: poller.catalog,
            metrics,
            _reused_answers(settings, metrics),
            default_variant=settings.default_variant,
        ),
        entrance=Entrance(
            KeyRing(keys),
            RateLimits(time.perf_counter, metrics),
            Admission(
                budget_s=settings.request_budget_ms / 1000,
                max_concurrency=settings.max_concurrency,
                clock=time.perf_counter,
                observer=metrics,
            ),
        ),
        limits=EnvelopeLimits(
            max_image_bytes=settings.max_image_bytes,
            max_text_chars=settings.max_text_chars,
            max_top_k=settings.max_top_k,
            max_batch_items=settings.max_batch_items,
            max_batch_body_bytes=settings.max_batch_body_bytes,
        ),
        database=_make_database(settings),
    )


def _make_database(settings: Settings) -> Database | None:
    if settings.database_url is None:
        return None
    # Loaded where it is used: SQLAlchemy and Alembic take 0.4 s.
    from gateway.storage.database import Database

    return Database(settings.database_url.get_secret_value())


def _reused_answers(settings: Settings, metrics: Metrics) -> ReusedAnswers[Mapping[str, Row]]:
    cache: AnswerCache[Mapping[str, Row]] | None = None
    if settings.answer_cache_bytes:
        cache = AnswerCache(
            max_bytes=settings.answer_cache_bytes,
            ttl_s=settings.answer_cache_ttl_s,
            clock=time.monotonic,
        )
    policy = ReusePolicy(settings.has_coalescing, settings.has_shared_answers)
    return ReusedAnswers(policy, cache, rows_bytes, metrics)


def create_app(parts: Collaborators) -> FastAPI:
    """Makes the REST application."""
    app = DocumentedApi(
        title="Diptych",
        version=version("diptych"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _pass_to_edge},
    )
    # Added last is outermost: the edge sees what those within it refuse.
    app.add_middleware(
        Gate, entrance=parts.entrance, batch_budget_s=parts.settings.batch_budget_ms / 1000
    )
    app.add_middleware(Authentication, key_ring=parts.entrance.key_ring)
    app.add_middleware(Edge, metrics=parts.metrics, is_draining=lambda: parts.readiness.is_draining)
    app.include_router(
        ClassificationApi(
            parts.classifier,
            parts.limits,
            parts.entrance.rate_limits,
            parts.metrics,
        ).routes()
    )
    app.include_router(
        OperationsApi(
            lambda: parts.poller.catalog, parts.classifier, parts.readiness, parts.metrics.registry
        ).routes()
    )
    return app


def create_grpc_server(parts: Collaborators) -> GrpcServer:
    """Makes the gRPC server. To be called inside the event loop."""
    service = ClassifierService(
        parts.classifier,
        parts.limits,
        parts.entrance,
        parts.readiness,
        parts.metrics,
        max_stream_concurrency=parts.settings.max_stream_concurrency,
    )
    return GrpcServer(service, parts.readiness, parts.limits)


async def _pass_to_edge(request: Request, error: Exception) -> NoReturn:
    """Keeps Starlette from answering 404 and 405 itself: the edge makes problems of all errors."""
    raise error
