"""Deletes everything about a unit key: labels and their history here, and what others keep.

What is stored of answers names a unit by a keyed hash, so it is found with the secrets of the
receipt keys and with nothing else; overrides of experiments name it in the clear. The audit says
that a unit was forgotten and how much it was, never which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from gateway.storage.engine import WRITES, is_sqlite
from gateway.storage.tables import AuditEntry, Feedback, FeedbackHistory
from gateway.traffic.forget import forget_overrides

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import CursorResult, Engine


class Forgettable(Protocol):
    """Something else that keeps what belongs to a unit, for example captured features.

    To be given to `forget` by `__main__`, which makes it from the settings.
    """

    @property
    def kind(self) -> str:
        """What it keeps, in the plural, for the audit: `captured_rows`."""

    def forget(self, unit_hashes: Sequence[str]) -> int:
        """Deletes what belongs to a unit, for good; doing so twice is no error.

        Args:
            unit_hashes: `Receipt.unit`, one for each secret that there is or was.

        Returns:
            How much it was.
        """


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much of each kind was deleted."""

    counts: dict[str, int]


def forget(
    engine: Engine,
    unit: str,
    unit_hashes: Sequence[str],
    others: Sequence[Forgettable],
    *,
    actor: str,
    now: datetime,
) -> Forgotten:
    """Deletes everything about a unit.

    What others keep goes first: when that fails nothing is audited, and doing it again finishes it.

    Args:
        engine: of the database.
        unit: the unit key.
        unit_hashes: of the unit.
        others: all else that keeps something.
        actor: who asked for it.
        now: the moment.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database cannot be used; nothing was deleted there.
    """
    counts = {each.kind: each.forget(unit_hashes) for each in others}
    writer = engine.execution_options(**{WRITES: True})
    with Session(writer) as session, session.begin():
        if is_sqlite(engine.url):
            session.execute(text("PRAGMA secure_delete=ON"))  # overwritten, not only unlinked
        for kind, table in (("labels", Feedback), ("superseded_labels", FeedbackHistory)):
            done = session.execute(delete(table).where(table.unit.in_(unit_hashes)))
            counts[kind] = cast("CursorResult[Any]", done).rowcount
        counts["overrides_and_audited_overrides"] = forget_overrides(session, unit, now)
        session.add(
            AuditEntry(
                at=now,
                actor=actor,
                action="unit.forget",
                target="unit",
                before=None,
                after=dict(counts),
                request_id="",
            )
        )
    if is_sqlite(engine.url):
        # What was deleted still stands in the log of writes until that is taken over.
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Forgotten(counts)
