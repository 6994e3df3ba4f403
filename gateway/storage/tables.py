"""The tables: traffic rules that admins wrote, promotions, label sets, the audit of all changes.

A change here needs a migration; a test holds the two against each other.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.storage.base import Base


class RoutingRevision(Base):
    """One row, moved by every change of what follows: replicas poll it.

    Writers move it first. That locks the row, so changes happen one after another and each sees all
    that went before: two that are valid alone cannot make an invalid whole.
    """

    __tablename__ = "routing_revision"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int]


class TrafficRule(Base):
    """An experiment or a shadow as an admin wrote it; wins over the file's of the same name.

    Attributes:
        kind: `experiment` or `shadow`.
        definition: as in the file, in JSON.
        version: 1 at first, then one more with each change; for `If-Match`.
    """

    __tablename__ = "traffic_rules"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    definition: Mapped[dict[str, Any]]
    version: Mapped[int]
    changed_at: Mapped[datetime]


class Promotion(Base):
    """A variant that was made the default; the last that was not rolled back counts."""

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(primary_key=True)
    variant: Mapped[str] = mapped_column(String(64))
    promoted_at: Mapped[datetime]
    rolled_back_at: Mapped[datetime | None]


class StoredLabelSet(Base):
    """Labels under a name, for zero-shot classification.

    Attributes:
        templates: prompts that each label is put into; empty: the variant's own.
    """

    __tablename__ = "label_sets"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    labels: Mapped[list[str]] = mapped_column(JSON)
    templates: Mapped[list[str]] = mapped_column(JSON)
    changed_at: Mapped[datetime]


class AuditEntry(Base):
    """One change: who, what, from what to what, when, in which request. Never updated."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_target", "target"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(128))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    request_id: Mapped[str] = mapped_column(String(128))
