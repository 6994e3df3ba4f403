"""Makes what looks at answers, as the settings ask."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec
from random import SystemRandom
from typing import TYPE_CHECKING

from gateway.capture.draws import CapturePolicy
from gateway.classification.sampling import NoSampler
from gateway.start_errors import CaptureFolderError
from gateway.watching.drift_watch import FALSE_ALARM, DriftWatch, WindowPolicy
from gateway.watching.references import References, ReferenceState
from gateway.watching.watcher import Watcher

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from gateway.capture.writer import CaptureWriter
    from gateway.classification.sampling import Sampler
    from gateway.pools.fleet import Fleet
    from gateway.settings import Settings
    from gateway.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Watching:
    """What looks at answers.

    Attributes:
        sampler: for the classifier.
        watcher: its thread; None: neither drift nor capture is on.
        references: what windows are judged by.
    """

    sampler: Sampler
    watcher: Watcher | None = None
    references: References | None = None

    def reference_state(self, digest: str) -> ReferenceState:
        """Returns what is known of the drift reference of a variant's digest."""
        if self.references is None:
            return ReferenceState.NOT_WATCHED
        return self.references.state_of(digest)

    def start(self, tasks: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Starts the thread and, as a task that the caller cancels, following the references."""
        if self.watcher is None or self.references is None:
            return None
        self.watcher.start()
        return tasks.create_task(self.references.run())

    async def close(self) -> None:
        """Works through what waits, and ends."""
        if self.watcher is not None:
            await self.watcher.close()


def make_watching(settings: Settings, fleet: Fleet, metrics: Metrics, workers: int) -> Watching:
    """Makes it.

    Args:
        settings: of the process.
        fleet: the servers.
        metrics: where it is shown.
        workers: processes that serve side by side; each has windows of its own.

    Raises:
        CaptureFolderError: the folder of the capture cannot be used.
    """
    if not settings.drift_window_items and settings.capture_folder is None:
        return Watching(NoSampler())
    random = SystemRandom().random
    drift = DriftWatch(
        WindowPolicy(settings.drift_window_items, settings.drift_window_s, FALSE_ALARM / workers),
        metrics.drift,
        time.monotonic,
        random,
    )
    policy, writer = None, None
    if settings.capture_folder is not None:
        policy = CapturePolicy(
            uniform_ratio=settings.capture_ratio,
            low_confidence_ratio=settings.capture_low_confidence_ratio,
            low_confidence_below=settings.capture_low_confidence_below,
            disagreement_ratio=settings.capture_disagreement_ratio,
            has_inputs=settings.has_captured_inputs,
        )
        writer = _make_writer(settings, settings.capture_folder, metrics)
    watcher = Watcher(drift, policy, writer, metrics.capture, random)
    references = References(fleet, drift, metrics.drift, settings.catalog_refresh_s)
    return Watching(watcher, watcher, references)


def _make_writer(settings: Settings, path: Path, metrics: Metrics) -> CaptureWriter:
    if find_spec("pyarrow") is None:
        raise CaptureFolderError(
            path, "pyarrow is not installed; install diptych[capture], or unset the folder"
        )
    # Loaded where it is used: pyarrow is no part of a gateway that captures nothing.
    from gateway.capture.folder import CaptureFolder, FolderBounds
    from gateway.capture.writer import CaptureWriter

    bounds = FolderBounds(settings.capture_max_bytes, settings.capture_max_days)
    try:
        folder = CaptureFolder(path)
        return CaptureWriter(folder, bounds, settings.capture_flush_s, metrics.capture)
    except OSError as error:
        raise CaptureFolderError(path, f"{error.strerror}; name one that can be written") from error
