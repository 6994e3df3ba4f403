"""Writes captured rows in parts: a process that is killed loses the part that it has not written.

Belongs to one thread. Rows wait in memory until a part is full or old; a part is one file.
"""

from __future__ import annotations

import dataclasses
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gateway.capture.folder import day_of
from gateway.contract.capture import CapturedRow, CapturedTask, arrow_schema
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.capture.folder import CaptureFolder, FolderBounds
    from gateway.telemetry.capture_metrics import CaptureMetrics

_LOG: Final = logging.getLogger(__name__)

PART_ROWS: Final = 512
PART_BYTES: Final = 16 * 1024 * 1024
_SMALL_COLUMNS_BYTES: Final = 512
_NAMES: Final = tuple(each.name for each in dataclasses.fields(CapturedRow))
_FEATURES: Final = frozenset({"image_features", "text_features"})


def _now() -> datetime:
    return datetime.now(UTC)


class CaptureWriter:
    """The parts of one process.

    Args:
        folder: where they go.
        bounds: of the folder.
        flush_s: longest time that a row waits in memory, in seconds.
        metrics: what became of rows goes there.
        now: reads the wall clock.
    """

    def __init__(
        self,
        folder: CaptureFolder,
        bounds: FolderBounds,
        flush_s: float,
        metrics: CaptureMetrics,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._folder = folder
        self._bounds = bounds
        self._flush_s = flush_s
        self._metrics = metrics
        self._now = now
        self._rows: list[CapturedRow] = []
        self._size_bytes = 0
        self._since: datetime | None = None
        self._parts = 0
        with folder.locked():
            lost_parts = folder.lost_parts()
            self._entry = folder.open_writer()
        for lost in lost_parts:
            metrics.count_lost_part()
            log_event(_LOG, logging.WARNING, "capture_part_lost", **lost)

    def add(self, row: CapturedRow) -> None:
        """Takes a row; writes when a part is full."""
        if self._since is None:
            self._since = self._now()
        self._rows.append(row)
        self._size_bytes += _size_of(row)
        if len(self._rows) >= PART_ROWS or self._size_bytes >= PART_BYTES:
            self.flush()
        else:
            self._entry.note(len(self._rows), self._since)

    def tick(self) -> None:
        """Writes rows that have waited long enough."""
        since = self._since
        if since is not None and (self._now() - since).total_seconds() >= self._flush_s:
            self.flush()

    def flush(self) -> None:
        """Writes what there is, then keeps the folder within its bounds.

        Where the disk refuses, the rows are dropped and counted: to keep them would fill the memory
        of a process that has other work.
        """
        rows, self._rows, self._since, self._size_bytes = self._rows, [], None, 0
        now = self._now()
        try:
            with self._folder.locked():
                forgotten = self._folder.forgotten_units(now)
                kept = [row for row in rows if not _is_forgotten(row, forgotten)]
                self._metrics.count_rows("forgotten", len(rows) - len(kept))
                self._write(kept)
                removed = self._folder.trim(self._bounds, day_of(now))
                self._metrics.count_removed(removed)
                self._metrics.set_bytes(self._folder.size_bytes())
            self._entry.note(0, None)
        except OSError as error:
            log_event(_LOG, logging.ERROR, "capture_failed", cause=error.strerror, rows=len(rows))
            self._metrics.count_rows("disk_failed", len(rows))

    def close(self) -> None:
        """Writes what there is, and leaves."""
        self.flush()
        self._entry.close()

    def _write(self, rows: list[CapturedRow]) -> None:
        for day in sorted({day_of(row.predicted_at) for row in rows}):
            of_day = [row for row in rows if day_of(row.predicted_at) == day]
            self._folder.write_part(day, self._entry.name, self._parts, to_table(of_day))
            self._parts += 1
            self._metrics.count_rows("written", len(of_day))


def to_table(rows: list[CapturedRow]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Returns rows as a pyarrow table of `contract.capture.arrow_schema`."""
    import pyarrow as pa

    schema = arrow_schema()
    columns = [
        pa.array([_cell(name, getattr(row, name)) for row in rows], schema.field(name).type)
        for name in _NAMES
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _cell(name: str, value: Any) -> Any:  # noqa: ANN401 - one of a row's types
    if name in _FEATURES and value is not None:
        # Beyond what float16 holds is still the largest that it holds.
        largest = float(np.finfo(np.float16).max)
        return np.clip(value, -largest, largest).astype(np.float16)
    if isinstance(value, tuple):
        return [
            dataclasses.asdict(each) if isinstance(each, CapturedTask) else each for each in value
        ]
    return value


def _size_of(row: CapturedRow) -> int:
    present = [each for each in (row.image_features, row.text_features) if each is not None]
    features = sum(each.nbytes // 2 for each in present)
    return _SMALL_COLUMNS_BYTES + features + len(row.image or b"") + len(row.text or "")


def _is_forgotten(row: CapturedRow, forgotten: dict[str, datetime]) -> bool:
    return row.unit in forgotten and row.predicted_at <= forgotten[row.unit]
