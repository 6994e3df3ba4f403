"""Wiring: makes all that the two servers need, once."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from random import SystemRandom
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from gateway.admission.admission import Admission
from gateway.admission.rate_limits import RateLimits
from gateway.api.access_log import AccessLog
from gateway.api.connections import ConnectionLimits
from gateway.api.entrance import Entrance
from gateway.api.envelope import EnvelopeLimits
from gateway.classification.arms import ArmObserver
from gateway.classification.classifier import Classifier
from gateway.classification.live import LiveClassifier
from gateway.classification.receipting import ReceiptIssuer
from gateway.classification.shadow import Shadows
from gateway.identity.key_ring import KeyRing
from gateway.listening import affordable_connections
from gateway.optional_parts import (
    brown_out_bounds,
    make_database,
    make_feedback,
    make_image_fetcher,
    make_label_sets,
    make_ramps,
    make_reused_answers,
)
from gateway.pools.admission import PooledAdmission
from gateway.pools.dispatch import Dispatcher
from gateway.pools.fleet import Fleet
from gateway.pools.pool import Pool
from gateway.pools.watch import Watch
from gateway.readiness import Readiness
from gateway.receipts.first_keys import first_receipt_keys
from gateway.receipts.ring import ReceiptRing
from gateway.reuse.answer_cache import AnswerCache
from gateway.routing.router import Router
from gateway.tallies.recorder import TallyRecorder
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.tracing.start import start_tracing
from gateway.traffic.admin import TrafficAdmin
from gateway.traffic.live import LiveTraffic
from gateway.watching.make import make_watching
from gateway.zero_shot.embeddings import LabelEmbeddings
from gateway.zero_shot.query import LabelLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.admission.admission import AdmissionObserver
    from gateway.feedback.intake import FeedbackIntake
    from gateway.identity.keys_file import KeySet
    from gateway.ramping.controller import RampController
    from gateway.remote_images.fetcher import ImageFetcher
    from gateway.settings import Settings
    from gateway.storage.database import Database
    from gateway.telemetry.tracing.span import Tracer
    from gateway.triton.backend import InferenceBackend
    from gateway.watching.make import Watching
    from gateway.worker_place import WorkerPlace
    from gateway.zero_shot.label_sets import LabelSets


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
    database = make_database(settings)
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
    label_sets = make_label_sets(settings, database, workers)
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
                dispatcher,
                metrics,
                make_reused_answers(settings, metrics),
                labels,
                watching.sampler,
            ),
            label_sets,
            ArmObserver(metrics.traffic, recorder),
            brown_out_bounds(settings),
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
        image_fetcher=make_image_fetcher(settings, metrics),
        database=database,
        traffic=live,
        traffic_admin=TrafficAdmin(database, live, lambda: fleet.catalog, router),
        receipts=receipts,
        feedback=make_feedback(settings, receipts, fleet, metrics, database),
        tallies=recorder,
        ramps=make_ramps(database, recorder, live, router, metrics),
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

    has_brown_out = brown_out_bounds(settings) is not None
    return PooledAdmission(fleet, make, metrics, time.perf_counter, has_brown_out=has_brown_out)
