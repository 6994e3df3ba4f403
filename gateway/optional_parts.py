"""Makes what depends on a setting being there: the database and what needs it, caches, fetching.

What takes long to import is imported where it is made.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from gateway.classification.brown_out import BrownOutBounds
from gateway.feedback.intake import FeedbackIntake, FeedbackLimits
from gateway.ramping.controller import RampController, process_name
from gateway.ramping.fuse import Fuse
from gateway.ramping.leader import RampLeader
from gateway.ramping.lease import Lease
from gateway.reuse.answer_cache import AnswerCache
from gateway.reuse.answers import ReusedAnswers, ReusePolicy
from gateway.triton.outputs import rows_bytes
from gateway.zero_shot.label_sets import LabelSets, MemoryLabelSets

if TYPE_CHECKING:
    from gateway.feedback.writer import FeedbackWriter
    from gateway.pools.call import Served
    from gateway.pools.fleet import Fleet
    from gateway.receipts.ring import ReceiptRing
    from gateway.remote_images.fetcher import ImageFetcher
    from gateway.routing.router import Router
    from gateway.settings import Settings
    from gateway.storage.database import Database
    from gateway.tallies.recorder import TallyRecorder
    from gateway.telemetry.metrics import Metrics
    from gateway.traffic.live import LiveTraffic


def make_ramps(
    database: Database | None,
    recorder: TallyRecorder,
    live: LiveTraffic,
    router: Router,
    metrics: Metrics,
) -> RampController | None:
    """Makes what moves traffic by evidence; None without a database."""
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


def brown_out_bounds(settings: Settings) -> BrownOutBounds | None:
    """Returns when one input may stand for both; None: never."""
    max_calibration_error = settings.brown_out_max_calibration_error
    if max_calibration_error is None:
        return None
    return BrownOutBounds(max_calibration_error, settings.brown_out_max_accuracy_loss)


def make_label_sets(settings: Settings, database: Database | None, workers: int) -> LabelSets:
    """Makes the registry of label sets: in the database where there is one."""
    if database is None:
        return MemoryLabelSets(settings.max_label_sets, is_alone=workers == 1)
    from gateway.zero_shot.stored_label_sets import StoredLabelSets

    return StoredLabelSets(database, settings.max_label_sets, time.monotonic)


def make_database(settings: Settings) -> Database | None:
    """Makes the connection to the database, where one is set."""
    if settings.database_url is None:
        return None
    # Loaded where it is used: SQLAlchemy and Alembic take 0.4 s.
    from gateway.storage.database import Database

    return Database(settings.database_url.get_secret_value())


def make_feedback(
    settings: Settings,
    receipts: ReceiptRing,
    fleet: Fleet,
    metrics: Metrics,
    database: Database | None,
) -> FeedbackIntake:
    """Makes what takes feedback; without a database it says that it takes none."""
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


def make_image_fetcher(settings: Settings, metrics: Metrics) -> ImageFetcher | None:
    """Makes what fetches images by URL, where hosts are allowed."""
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


def make_reused_answers(settings: Settings, metrics: Metrics) -> ReusedAnswers[Served]:
    """Makes what answers equal requests once, with a cache where one is set."""
    cache: AnswerCache[Served] | None = None
    if settings.answer_cache_bytes:
        cache = AnswerCache(
            max_bytes=settings.answer_cache_bytes,
            ttl_s=settings.answer_cache_ttl_s,
            clock=time.monotonic,
        )
    policy = ReusePolicy(settings.has_coalescing, settings.has_shared_answers)
    return ReusedAnswers(policy, cache, lambda served: rows_bytes(served.outputs), metrics)
