"""Takes drawn answers off the request's path: a bounded queue, and one thread behind it.

What an answer costs here (headers, trigrams, projections, Parquet) is paid in the thread; the event
loop puts a reference into a queue. Where the queue is full the answer is passed over and counted.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from typing import TYPE_CHECKING, Final

from gateway.capture.draws import include
from gateway.classification.sampling import Ticket
from gateway.telemetry.logs import log_event
from gateway.watching.drawn import Drawn, captured_row, watched_item
from gateway.watching.drift_watch import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.capture.draws import CapturePolicy
    from gateway.capture.writer import CaptureWriter
    from gateway.catalog import Variant
    from gateway.classification.values import Classification, ClassifyRequest
    from gateway.contract.manifest import ModalitySet
    from gateway.receipts.receipt import SignedReceipt
    from gateway.telemetry.capture_metrics import CaptureMetrics
    from gateway.watching.drift_watch import DriftWatch

_LOG: Final = logging.getLogger(__name__)

_MAX_WAITING: Final = 1024
_MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
_TICK_S: Final = 1.0
_CLOSE_TIMEOUT_S: Final = 10.0


class Watcher:
    """A `Sampler`: windows of drift, and the capture.

    Args:
        drift: the windows.
        policy: what is captured; None: nothing.
        writer: of what is captured.
        metrics: answers that had to be passed over are counted there.
        random: draws from 0 to 1.
    """

    def __init__(
        self,
        drift: DriftWatch,
        policy: CapturePolicy | None,
        writer: CaptureWriter | None,
        metrics: CaptureMetrics,
        random: Callable[[], float],
    ) -> None:
        self._drift = drift
        self._policy = policy
        self._writer = writer
        self._metrics = metrics
        self._random = random
        self._queue: queue.SimpleQueue[Drawn | None] = queue.SimpleQueue()
        self._waiting = 0
        self._waiting_bytes = 0
        self._waiting_lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="watching", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    async def close(self) -> None:
        """Works through what waits, writes the open part, and ends the thread."""
        if self._thread.is_alive():
            await asyncio.to_thread(self._stop)
        elif self._writer is not None:
            self._writer.close()  # the process ends before it began to serve

    def draw(self, variant: Variant, modalities: ModalitySet) -> Ticket | None:
        """Decides whether the features of the next answer are wanted. See `Sampler.draw`."""
        if not variant.ensembles[modalities].feature_dims:
            return None
        policy = self._policy
        is_watched = self._drift.draw(Stream(variant.name, variant.digest, modalities))
        is_uniform = policy is not None and self._random() < policy.uniform_ratio
        if is_watched or is_uniform or (policy is not None and policy.needs_all):
            return Ticket(is_watched, is_uniform)
        return None

    def offer(
        self,
        request: ClassifyRequest,
        answer: Classification,
        receipt: SignedReceipt,
        comparisons: Sequence[asyncio.Task[bool | None]],
    ) -> None:
        """Looks at an answer. See `Sampler.offer`."""
        if answer.features is None:
            return
        waits = self._policy is not None and self._policy.disagreement_ratio > 0.0
        if not waits or not comparisons:
            self._decide(request, answer, receipt, None)
            return
        left = set(comparisons)

        def note(task: asyncio.Task[bool | None]) -> None:
            left.discard(task)
            if not left:
                self._decide(request, answer, receipt, _agreement(comparisons))

        for each in comparisons:
            each.add_done_callback(note)

    def _decide(
        self,
        request: ClassifyRequest,
        answer: Classification,
        receipt: SignedReceipt,
        has_agreed: bool | None,
    ) -> None:
        features = answer.features
        if features is None:
            return
        inclusion = None
        if self._policy is not None:
            inclusion = include(
                self._policy,
                self._random,
                is_uniform=features.ticket.is_uniform,
                confidence=answer.ranking[0].score,
                has_agreed=has_agreed,
            )
        if features.ticket.is_watched or inclusion is not None:
            self._put(Drawn(request, answer, features, receipt, has_agreed, inclusion))

    def _put(self, drawn: Drawn) -> None:
        size_bytes = drawn.size_bytes
        if self._waiting >= _MAX_WAITING:
            self._metrics.count_drop("queue_full")
        elif self._waiting_bytes + size_bytes > _MAX_WAITING_BYTES:
            self._metrics.count_drop("queue_bytes")
        else:
            self._add_waiting(1, size_bytes)
            self._queue.put(drawn)

    def _add_waiting(self, count: int, size_bytes: int) -> None:
        with self._waiting_lock:
            self._waiting += count
            self._waiting_bytes += size_bytes

    def _stop(self) -> None:
        self._queue.put(None)
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _work(self) -> None:
        is_open = True
        while is_open:
            try:
                drawn = self._queue.get(timeout=_TICK_S)
            except queue.Empty:
                self._guarded(self._tick)
                continue
            if drawn is None:
                is_open = False
            else:
                self._add_waiting(-1, -drawn.size_bytes)
                self._guarded(lambda drawn=drawn: self._look(drawn))  # type: ignore[misc]
                self._guarded(self._tick)
        if self._writer is not None:
            self._guarded(self._writer.close)

    def _look(self, drawn: Drawn) -> None:
        tests = self._drift.tests(drawn.answer.digest)
        if drawn.features.ticket.is_watched and tests is not None:
            self._drift.add(drawn.stream, watched_item(drawn, tests))
        if drawn.inclusion is not None and self._writer is not None and self._policy is not None:
            has_inputs = self._policy.has_inputs
            self._writer.add(captured_row(drawn, drawn.inclusion, tests, has_inputs=has_inputs))

    def _tick(self) -> None:
        self._drift.tick()
        if self._writer is not None:
            self._writer.tick()

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the thread's edge: it must outlive one answer
            self._metrics.count_drop("failed")
            log_event(_LOG, logging.ERROR, "watching_failed", error=error)


def _agreement(comparisons: Sequence[asyncio.Task[bool | None]]) -> bool | None:
    """Whether all shadows that were compared gave the same label; None: none was."""
    said = [
        same
        for each in comparisons
        if not each.cancelled() and each.exception() is None and (same := each.result()) is not None
    ]
    return all(said) if said else None
