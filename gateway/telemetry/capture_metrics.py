"""The metrics of the capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class CaptureMetrics:
    """What became of the answers that were drawn.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._drops = Counter(
            "diptych_watching_dropped_total",
            "Answers that were drawn for drift or capture and not looked at, as the queue was full "
            "(`queue_full`) or held too many bytes (`queue_bytes`), or looking at one failed "
            "(`failed`).",
            ("cause",),
            registry=registry,
        )
        self._rows = Counter(
            "diptych_capture_rows_total",
            "Rows drawn for the capture, by what became of them: `written`; `forgotten` before "
            "they were written; `disk_failed`.",
            ("outcome",),
            registry=registry,
        )
        self._bytes = Gauge(
            "diptych_capture_bytes",
            "Size of the capture's folder.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._removed = Counter(
            "diptych_capture_removed_bytes_total",
            "What was removed as the folder's bounds in size and age ask.",
            registry=registry,
        )
        self._lost = Counter(
            "diptych_capture_lost_parts_total",
            "Parts that a killed process had not written yet, found when another one started.",
            registry=registry,
        )

    def count_drop(self, cause: str) -> None:
        """Counts an answer that was drawn and not looked at."""
        self._drops.labels(cause).inc()

    def count_rows(self, outcome: str, count: int) -> None:
        """Counts rows by what became of them."""
        if count:
            self._rows.labels(outcome).inc(count)

    def set_bytes(self, size_bytes: int) -> None:
        """Shows the size of the folder."""
        self._bytes.set(size_bytes)

    def count_removed(self, size_bytes: int) -> None:
        """Counts what was removed."""
        self._removed.inc(size_bytes)

    def count_lost_part(self) -> None:
        """Counts a part that a killed process left unwritten."""
        self._lost.inc()
