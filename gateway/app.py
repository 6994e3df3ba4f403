"""Wiring: makes the collaborators and hands them to the REST application and the gRPC server."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException

from gateway.admission.admission import Admission
from gateway.admission.rate_limits import RateLimits
from gateway.api.access_log import AccessLog
from gateway.api.admin import AdminApi
from gateway.api.authentication import Authentication
from gateway.api.connections import ConnectionLimits
from gateway.api.edge import Edge
from gateway.api.entrance import Entrance
from gateway.api.envelope import EnvelopeLimits
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
from gateway.classification.arms import ArmObserver
from gateway.classification.brown_out import BrownOutBounds
from gateway.classification.classifier import Classifier
from gateway.classification.live import LiveClassifier
from gateway.classification.receipting import ReceiptIssuer
from gateway.classification.shadow import Shadows
from gateway.feedback.intake import FeedbackIntake, FeedbackLimits
from gateway.identity.key_ring import KeyRing
from gateway.listening import affordable_connections
from gateway.pools.admission import PooledAdmission
from gateway.pools.dispatch import Dispatcher
from gateway.pools.fleet import Fleet
from gateway.pools.pool import Pool
from gateway.pools.watch import Watch
from gateway.ramping.admin import RampAdmin
from gateway.ramping.controller import RampController, process_name
from gateway.ramping.fuse import Fuse
from gateway.ramping.leader import RampLeader
from gateway.ramping.lease import Lease
from gateway.ramping.results import ResultsReader
from gateway.readiness import Readiness
from gateway.receipts.first_keys import first_receipt_keys
from gateway.receipts.ring import ReceiptRing
from gateway.reuse.answer_cache import AnswerCache
from gateway.reuse.answers import ReusedAnswers, ReusePolicy
from gateway.routing.router import Router
from gateway.tallies.recorder import TallyRecorder
from gateway.telemetry.exposition import expose
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.tracing.start import start_tracing
from gateway.traffic.admin import TrafficAdmin
from gateway.traffic.live import LiveTraffic
from gateway.triton.outputs import rows_bytes
from gateway.watching.make import make_watching
from gateway.zero_shot.embeddings import LabelEmbeddings
from gateway.zero_shot.label_sets import LabelSets, MemoryLabelSets
from gateway.zero_shot.query import LabelLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from gateway.admission.admission import AdmissionObserver
    from gateway.feedback.writer import FeedbackWriter
    from gateway.identity.keys_file import KeySet
    from gateway.pools.call import Served
    from gateway.remote_images.fetcher import ImageFetcher
    from gateway.settings import Settings
    from gateway.storage.database import Database
    from gateway.telemetry.tracing.span import Tracer
    from gateway.triton.backend import InferenceBackend
    from gateway.watching.make import Watching
    from gateway.worker_place import WorkerPlace

_DESCRIPTION: Final = "Classifies an image, a text, or both, with a model that Triton serves."


@dataclass(frozen=True)
class Collaborators:
    """All that the two servers need, made once."""

    settings: Settings
    place: WorkerPlace | None
    metrics: Metrics
    tracer: Tracer
    access_log: AccessLog
    fleet: Fleet
    watch: Watch
    readiness: Readiness
    router: Router
    classifier: LiveClassifier
    shadows: Shadows
    watching: Watching
    labels: LabelEmbeddings
    label_sets: LabelSets
    entrance: Entrance
    connection_limits: ConnectionLimits
    limits: EnvelopeLimits
    image_fetcher: ImageFetcher | None
    database: Database | None
    traffic: LiveTraffic
    traffic_admin: TrafficAdmin
    receipts: ReceiptRing
    feedback: FeedbackIntake
    tallies: TallyRecorder
    ramps: RampController | None

    async def watch_quality(self) -> None:
        """Shows in the metrics what feedback says of variants, until cancelled."""
        if self.database is None:
            return
        # Loaded where it is used, as the database is.
        from gateway.feedback.quality import QualityWatch

        window = timedelta(days=self.settings.feedback_figures_days)
        await QualityWatch(
            self.database,
            self.metrics.feedback,
            window,
            self.settings.feedback_figures_refresh_s,
        ).run()

    def show_gated_arms(self) -> None:
        """Shows in the metrics which arms get no traffic."""
        self.metrics.traffic.set_gated(self.router.gates())


def make_collaborators(
    settings: Settings,
    connect: Callable[[str], InferenceBackend],
    keys: KeySet,
    place: WorkerPlace | None,
) -> Collaborators:
    """Makes everything but the servers. To be called inside the event loop.

    Args:
        settings: of the process.
        connect: makes the connection to the Triton at an address.
        keys: the API keys.
        place: of this process among the workers of a pod; None: it is alone.

    Raises:
        ReceiptKeysFileError: the file of receipt keys cannot be used.
        CaptureFolderError: the folder of the capture cannot be used.
        TracingError: requests are to be traced and cannot be.
    """
    workers = 1 if place is None else place.workers
    metrics = Metrics(CollectorRegistry())
    metrics.count_worker_start()
    metrics.set_api_keys(len(keys.records))
    tracer = start_tracing(os.environ, place, metrics.traces, is_on=settings.has_tracing)
    pools = {Pool(name, SystemRandom()): targets for name, targets in settings.pools.items()}
    fleet = Fleet(list(pools), metrics, time.perf_counter)
    database = _make_database(settings)
    live = LiveTraffic(
        settings.experiments_file,
        database,
        metrics.traffic,
        settings.experiments_refresh_s,
    )
    router = Router(
        lambda: fleet.catalog, lambda: live.in_force.traffic, settings.default_variant, time.time
    )
    admission = _admission(settings, fleet, metrics, workers)
    shadows = Shadows(fleet, lambda: live.in_force.traffic, admission, metrics.shadows)
    dispatcher = Dispatcher(fleet, metrics.pools, time.perf_counter)
    labels = LabelEmbeddings(
        dispatcher,
        AnswerCache(max_bytes=settings.label_cache_bytes, ttl_s=math.inf, clock=time.monotonic),
        metrics.zero_shot,
        settings.batch_budget_ms / 1000,
    )
    label_sets = _make_label_sets(settings, database, workers)
    recorder = TallyRecorder()
    receipts = ReceiptRing(first_receipt_keys(settings.receipt_keys_file, place))
    metrics.feedback.set_receipt_keys(0 if receipts.is_ephemeral else len(receipts))
    watching = make_watching(settings, fleet, metrics, workers)
    return Collaborators(
        settings=settings,
        place=place,
        metrics=metrics,
        tracer=tracer,
        access_log=AccessLog(metrics, settings.access_log_success_ratio, tracer),
        fleet=fleet,
        watch=Watch(
            fleet,
            pools,
            connect,
            refresh_s=settings.catalog_refresh_s,
            lookup_s=settings.endpoint_lookup_s,
        ),
        readiness=Readiness(fleet),
        router=router,
        classifier=LiveClassifier(
            router,
            Classifier(
                dispatcher, metrics, _reused_answers(settings, metrics), labels, watching.sampler
            ),
            label_sets,
            ArmObserver(metrics.traffic, recorder),
            _brown_out(settings),
            shadows,
            receipts=ReceiptIssuer(receipts),
            sampler=watching.sampler,
        ),
        shadows=shadows,
        watching=watching,
        labels=labels,
        label_sets=label_sets,
        entrance=Entrance(
            KeyRing(keys),
            RateLimits(time.perf_counter, metrics, workers),
            admission,
        ),
        connection_limits=ConnectionLimits(
            max_connections=affordable_connections(-(-settings.max_connections // workers)),
            max_head_bytes=settings.max_head_bytes,
            head_timeout_s=settings.receive_timeout_s,
            body_timeout_s=settings.receive_timeout_s + settings.batch_budget_ms / 1000,
            idle_timeout_s=settings.idle_timeout_s,
        ),
        limits=EnvelopeLimits(
            max_image_bytes=settings.max_image_bytes,
            max_text_chars=settings.max_text_chars,
            max_top_k=settings.max_top_k,
            max_batch_items=settings.max_batch_items,
            max_batch_body_bytes=settings.max_batch_body_bytes,
            max_stream_concurrency=settings.max_stream_concurrency,
            labels=LabelLimits(
                max_labels=settings.max_labels,
                max_chars=settings.max_label_chars,
                max_templates=settings.max_prompt_templates,
            ),
        ),
        image_fetcher=_make_image_fetcher(settings, metrics),
        database=database,
        traffic=live,
        traffic_admin=TrafficAdmin(database, live, lambda: fleet.catalog, router),
        receipts=receipts,
        feedback=_make_feedback(settings, receipts, fleet, metrics, database),
        tallies=recorder,
        ramps=_make_ramps(database, recorder, live, router, metrics),
    )


def _make_ramps(
    database: Database | None,
    recorder: TallyRecorder,
    live: LiveTraffic,
    router: Router,
    metrics: Metrics,
) -> RampController | None:
    if database is None:
        return None
    process = process_name()
    now = partial(datetime.now, UTC)
    return RampController(
        database,
        recorder,
        live,
        RampLeader(
            database,
            live,
            Lease(process, time.monotonic),
            router.gates,
            metrics.ramps,
            clock=time.monotonic,
            now=now,
        ),
        Fuse(router.hold_back),
        metrics.ramps,
        process=process,
        now=now,
    )


def _admission(settings: Settings, fleet: Fleet, metrics: Metrics, workers: int) -> PooledAdmission:
    def make(observer: AdmissionObserver) -> Admission:
        return Admission(
            budget_s=settings.request_budget_ms / 1000,
            max_concurrency=settings.max_concurrency,
            clock=time.perf_counter,
            observer=observer,
            processes=workers,
        )

    has_brown_out = _brown_out(settings) is not None
    return PooledAdmission(fleet, make, metrics, time.perf_counter, has_brown_out=has_brown_out)


def _brown_out(settings: Settings) -> BrownOutBounds | None:
    max_calibration_error = settings.brown_out_max_calibration_error
    if max_calibration_error is None:
        return None
    return BrownOutBounds(max_calibration_error, settings.brown_out_max_accuracy_loss)


def _make_label_sets(settings: Settings, database: Database | None, workers: int) -> LabelSets:
    if database is None:
        return MemoryLabelSets(settings.max_label_sets, is_alone=workers == 1)
    from gateway.zero_shot.stored_label_sets import StoredLabelSets

    return StoredLabelSets(database, settings.max_label_sets, time.monotonic)


def _make_database(settings: Settings) -> Database | None:
    if settings.database_url is None:
        return None
    # Loaded where it is used: SQLAlchemy and Alembic take 0.4 s.
    from gateway.storage.database import Database

    return Database(settings.database_url.get_secret_value())


def _make_feedback(
    settings: Settings,
    receipts: ReceiptRing,
    fleet: Fleet,
    metrics: Metrics,
    database: Database | None,
) -> FeedbackIntake:
    writer: FeedbackWriter | None = None
    if database is not None:
        from gateway.feedback.writer import FeedbackWriter as Writer

        writer = Writer(database, metrics.feedback, settings.max_feedback_waiting)
    return FeedbackIntake(
        receipts,
        lambda: fleet.catalog,
        writer,
        metrics.feedback,
        FeedbackLimits(
            settings.max_feedback_items, settings.max_label_chars, settings.feedback_max_age_days
        ),
        is_shared=database is not None and not database.is_embedded,
    )


def _make_image_fetcher(settings: Settings, metrics: Metrics) -> ImageFetcher | None:
    if not settings.image_url_hosts:
        return None
    # Loaded where it is used: httpcore and the certificates take time that most never need.
    from gateway.allowed_hosts import AllowedHosts
    from gateway.remote_images.addresses import is_public
    from gateway.remote_images.fetcher import FetchLimits, ImageFetcher, make_pool
    from gateway.remote_images.pinned_network import PinnedNetwork

    limits = FetchLimits(
        max_bytes=settings.max_image_bytes,
        max_redirects=settings.image_url_max_redirects,
        max_concurrency=settings.image_url_concurrency,
    )
    pool = make_pool(PinnedNetwork(is_public), limits.max_concurrency)
    return ImageFetcher(AllowedHosts.of(settings.image_url_hosts), limits, pool, metrics)


def _reused_answers(settings: Settings, metrics: Metrics) -> ReusedAnswers[Served]:
    cache: AnswerCache[Served] | None = None
    if settings.answer_cache_bytes:
        cache = AnswerCache(
            max_bytes=settings.answer_cache_bytes,
            ttl_s=settings.answer_cache_ttl_s,
            clock=time.monotonic,
        )
    policy = ReusePolicy(settings.has_coalescing, settings.has_shared_answers)
    return ReusedAnswers(policy, cache, lambda served: rows_bytes(served.outputs), metrics)


def create_app(parts: Collaborators) -> FastAPI:
    """Makes the REST application."""
    app = DocumentedApi(
        title="Diptych",
        version=version("diptych"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: pass_to_edge},
        # Its own spans and logs would hold queries, and the texts of exceptions.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    # Added last is outermost: the edge sees what those within it refuse.
    app.add_middleware(
        Gate, entrance=parts.entrance, batch_budget_s=parts.settings.batch_budget_ms / 1000
    )
    app.add_middleware(Authentication, key_ring=parts.entrance.key_ring)
    app.add_middleware(
        Edge,
        access_log=parts.access_log,
        is_draining=lambda: parts.readiness.is_draining,
    )
    app.include_router(
        ClassificationApi(
            parts.classifier,
            parts.limits,
            parts.entrance.rate_limits,
            ImageUrls(parts.image_fetcher),
            parts.metrics,
        ).routes()
    )
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
