"""A capture and a database as a gateway leaves them, written from a variant's own features."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy.orm import Session

from gateway.contract.capture import CapturedRow, arrow_schema
from gateway.storage.engine import make_engine
from gateway.storage.tables import Feedback
from tests.gateway.capture.rows import make_row
from tests.gateway.storage.databases import migrate, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """Where capture and feedback lie."""

    capture: Path
    database: str

    @classmethod
    def make(cls, folder: Path, database: str | None = None) -> World:
        """Makes both; the database is SQLite's, or an empty one that is named."""
        world = cls(folder / "capture", database or sqlite_url(folder))
        migrate(world.database)
        (world.capture / "day=2026-11-22").mkdir(parents=True)
        return world

    def capture_rows(self, rows: Sequence[CapturedRow]) -> None:
        """Writes one more part."""
        schema = arrow_schema()
        columns = {name: [self._cell(row, name) for row in rows] for name in schema.names}
        table = pa.Table.from_pydict(columns, schema=schema)
        number = len(list(self.capture.glob("day=*/*")))
        pq.write_table(table, self.capture / "day=2026-11-22" / f"part-w-{number:06d}.parquet")

    def label(
        self, rows: Sequence[CapturedRow], labels: Sequence[str | None], **fields: object
    ) -> None:
        """Writes what is true of captured answers."""
        engine = make_engine(self.database)
        with Session(engine) as session, session.begin():
            for row, label in zip(rows, labels, strict=True):
                session.add(_feedback(row, label, **fields))
        engine.dispose()

    @staticmethod
    def _cell(row: CapturedRow, name: str) -> object:
        value = getattr(row, name)
        if name.endswith("_features"):
            return None if value is None else value.astype(np.float16)
        return list(value) if isinstance(value, tuple) else value


def rows_of(
    text: NDArray[np.float32], image: NDArray[np.float32], digest: str, **changes: object
) -> list[CapturedRow]:
    """Captures one answer a row, a minute apart."""
    return [
        make_row(
            number,
            digest=digest,
            predicted_at=NOON + timedelta(minutes=number),
            text_features=text[number],
            image_features=image[number],
            **changes,
        )
        for number in range(len(text))
    ]


def _feedback(row: CapturedRow, label: str | None, **fields: object) -> Feedback:
    values: dict[str, object] = {
        "prediction_key": row.prediction_key,
        "task": "",
        "variant": row.variant,
        "digest": row.digest[:16],
        "modalities": row.modalities,
        "reason": "newest",
        "predicted_at": row.predicted_at,
        "kind": "one",
        "predicted": row.label,
        "label": label,
        "is_correct": None if label is None else label == row.label,
        "weight": 1.0,
        "labelled_at": row.predicted_at,
        "recorded_at": row.predicted_at,
        "version": 1,
        "actor": "shop",
    }
    return Feedback(**(values | fields))
