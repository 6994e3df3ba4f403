"""Label sets in the database: they outlive the process, and all replicas see the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from gateway.errors import LabelSetsFullError, StorageUnavailableError
from gateway.storage.tables import AuditEntry, StoredLabelSet
from gateway.zero_shot.label_sets import LabelSet, unknown_label_set
from gateway.zero_shot.query import LabelQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

    from gateway.storage.database import Database
    from gateway.zero_shot.label_sets import Change

FRESH_S: Final = 2.0
"""How long a set that was read is used without another look, in seconds."""


@dataclass(frozen=True, slots=True)
class _Known:
    label_set: LabelSet
    read_s: float


class StoredLabelSets:
    """Label sets of all replicas.

    What was read is used for `FRESH_S`, and while the database is away as long as that lasts:
    classification does not depend on it.

    Args:
        database: where they are kept.
        max_sets: how many there may be.
        clock: reads seconds, as `time.monotonic` does.
    """

    is_persistent = True

    def __init__(self, database: Database, max_sets: int, clock: Callable[[], float]) -> None:
        self._database = database
        self._max_sets = max_sets
        self._clock = clock
        self._known: dict[str, _Known] = {}

    async def get(self, name: str) -> LabelSet:
        """See `LabelSets.get`."""
        known = self._known.get(name)
        if known is not None and self._clock() - known.read_s < FRESH_S:
            return known.label_set
        try:
            found, names = await self._database.read(lambda session: _find(session, name))
        except StorageUnavailableError:
            if known is None:
                raise
            return known.label_set
        if found is None:
            self._known.pop(name, None)
            raise unknown_label_set(name, names)
        self._known[name] = _Known(found, self._clock())
        return found

    async def list(self) -> Sequence[LabelSet]:
        """See `LabelSets.list`."""

        def read(session: Session) -> list[LabelSet]:
            rows = session.scalars(select(StoredLabelSet).order_by(StoredLabelSet.name))
            return [_label_set(row) for row in rows]

        return await self._database.read(read)

    async def put(self, label_set: LabelSet, change: Change) -> bool:
        """See `LabelSets.put`."""

        def write(session: Session) -> bool:
            row = session.get(StoredLabelSet, label_set.name)
            before = None if row is None else _definition(row)
            if row is None:
                # Writers of SQLite take turns; of PostgreSQL two at once may go one above.
                count = session.scalar(select(func.count()).select_from(StoredLabelSet)) or 0
                if count >= self._max_sets:
                    raise LabelSetsFullError(self._max_sets)
                row = StoredLabelSet(name=label_set.name)
                session.add(row)
            row.labels = list(label_set.query.labels)
            row.templates = list(label_set.query.templates)
            row.changed_at = datetime.now(UTC)
            after = _definition(row)
            session.add(_audit("label_set.put", label_set.name, change, (before, after)))
            return before is None

        is_new = await self._database.write(write)
        self._known[label_set.name] = _Known(label_set, self._clock())
        return is_new

    async def delete(self, name: str, change: Change) -> None:
        """See `LabelSets.delete`."""

        def write(session: Session) -> None:
            row = session.get(StoredLabelSet, name)
            if row is None:
                raise unknown_label_set(name, _names(session))
            session.add(_audit("label_set.delete", name, change, (_definition(row), None)))
            session.delete(row)

        await self._database.write(write)
        self._known.pop(name, None)


def _find(session: Session, name: str) -> tuple[LabelSet | None, tuple[str, ...]]:
    row = session.get(StoredLabelSet, name)
    return (None, _names(session)) if row is None else (_label_set(row), ())


def _names(session: Session) -> tuple[str, ...]:
    return tuple(session.scalars(select(StoredLabelSet.name)))


def _label_set(row: StoredLabelSet) -> LabelSet:
    return LabelSet(row.name, LabelQuery(tuple(row.labels), tuple(row.templates)))


def _definition(row: StoredLabelSet) -> dict[str, Any]:
    return {"labels": row.labels, "prompt_template": row.templates}


def _audit(
    action: str,
    name: str,
    change: Change,
    states: tuple[dict[str, Any] | None, dict[str, Any] | None],
) -> AuditEntry:
    return AuditEntry(
        at=datetime.now(UTC),
        actor=change.actor,
        action=action,
        target=name,
        before=states[0],
        after=states[1],
        request_id=change.request_id,
    )
