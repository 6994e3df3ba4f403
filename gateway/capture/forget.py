"""Deletes all rows of units from captured parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.capture.folder import CaptureFolder, replace_part

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ForgottenRows:
    """What was deleted: rows, and the parts that they were in."""

    rows: int
    parts: int


def forget_units(path: Path, units: Collection[str], now: datetime | None = None) -> ForgottenRows:
    """Deletes all rows of units, those included that a gateway still holds in memory.

    Parts are written anew without the rows; a part that has none left is removed. Gateways that run
    drop rows of the units that were answered up to now, when they write their next part.

    Args:
        path: of the capture's folder.
        units: their hashes, as in the rows.
        now: up to when.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    folder = CaptureFolder(path)
    wanted = pa.array(sorted(units), pa.string())
    rows = parts = 0
    with folder.locked():
        folder.note_forgotten(units, now or datetime.now(UTC))
        for part in folder.parts():
            # Not `read_table`, which would add the folder's day as a column.
            file = pq.ParquetFile(part)
            found = pc.is_in(file.read(columns=["unit"])["unit"], value_set=wanted)
            count = int(pc.sum(found).as_py() or 0)
            if not count:
                continue
            kept = file.read().filter(pc.invert(found))
            if kept.num_rows:
                replace_part(part, kept)
            else:
                part.unlink()
            rows += count
            parts += 1
    return ForgottenRows(rows, parts)


@dataclass(frozen=True, slots=True)
class CapturedRows:
    """The capture as one of the things that `python -m gateway.feedback forget` deletes from.

    Attributes:
        path: of the capture's folder.
    """

    path: Path

    @property
    def kind(self) -> str:
        """What it keeps."""
        return "captured_rows"

    def forget(self, unit_hashes: Sequence[str]) -> int:
        """Deletes all rows of a unit; returns how many were on disk. See `forget_units`."""
        return forget_units(self.path, unit_hashes).rows
