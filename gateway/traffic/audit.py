"""The audit: written in the transaction of the change that it tells of, and never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from gateway.storage.tables import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change, and in which request."""

    key_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed.

    Attributes:
        action: for example `experiment.put`.
        target: name of what was changed.
        before: as it was, or None for what was made.
        after: as it is, or None for what was deleted.
    """

    action: str
    target: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def record(session: Session, actor: Actor, change: Change, at: datetime) -> None:
    """Adds an entry to the transaction."""
    session.add(
        AuditEntry(
            at=at,
            actor=actor.key_id,
            action=change.action,
            target=change.target,
            before=change.before,
            after=change.after,
            request_id=actor.request_id,
        )
    )


def read_audit(
    session: Session, *, limit: int, before_id: int | None, target: str | None
) -> Sequence[AuditEntry]:
    """Returns entries, newest first.

    Args:
        session: of the store.
        limit: most entries.
        before_id: only older ones than that of this id, for the next page.
        target: only those of what has this name.
    """
    entries = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if before_id is not None:
        entries = entries.where(AuditEntry.id < before_id)
    if target is not None:
        entries = entries.where(AuditEntry.target == target)
    return session.scalars(entries).all()
