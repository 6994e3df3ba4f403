"""The tables: traffic rules that admins wrote, promotions, label sets, feedback, the audit.

A change here needs a migration; a test holds the two against each other.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, Float, Index, String, Text
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


class Feedback(Base):
    """What is true of one task of one prediction, as far as it is known, beside what was predicted.

    Attributes:
        prediction_key: of the receipt.
        task: name; empty where a variant has one set of labels alone.
        variant: that answered, and all that follows as the receipt has it.
        unit: keyed hash of the unit key.
        kind: `one` or `several` labels.
        predicted: `receipts.receipt.labels_value` of what was predicted; where only its digest is
            known, `digest:` and 16 hexadecimal digits.
        confidence: probability of the best label; None of several labels.
        confidence_bin: of 15 of equal width, from 0; None of several labels.
        label: `labels_value` of what is true; None: whoever looked was unsure.
        is_correct: whether both are equal; None when unsure.
        weight: inverse of the probability with which the prediction was chosen to be labelled.
        labelled_at: when somebody looked.
        recorded_at: when it came.
        version: 1, and one more with each correction.
        actor: name of the API key.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        Index("ix_feedback_variant_predicted_at", "variant", "predicted_at"),
        Index("ix_feedback_experiment_predicted_at", "experiment", "predicted_at"),
        Index("ix_feedback_predicted_at", "predicted_at"),
        Index("ix_feedback_unit", "unit"),
    )

    prediction_key: Mapped[str] = mapped_column(String(32), primary_key=True)
    task: Mapped[str] = mapped_column(String(63), primary_key=True)
    variant: Mapped[str] = mapped_column(String(63))
    digest: Mapped[str] = mapped_column(String(16))
    modalities: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(String(16))
    experiment: Mapped[str | None] = mapped_column(String(63))
    revision: Mapped[str | None] = mapped_column(String(8))
    layer: Mapped[str | None] = mapped_column(String(63))
    arm: Mapped[str | None] = mapped_column(String(63))
    propensity: Mapped[float | None] = mapped_column(Float)
    unit: Mapped[str | None] = mapped_column(String(16))
    predicted_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(8))
    predicted: Mapped[str] = mapped_column(Text)
    confidence: Mapped[float | None] = mapped_column(Float)
    confidence_bin: Mapped[int | None]
    label: Mapped[str | None] = mapped_column(Text)
    is_correct: Mapped[bool | None]
    weight: Mapped[float] = mapped_column(Float)
    labelled_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    version: Mapped[int]
    actor: Mapped[str] = mapped_column(String(128))


class FeedbackHistory(Base):
    """A label that another one superseded, or that was older than what was known when it came.

    Attributes:
        version: that it had; 0 where it was never the one that counts.
        replaced_at: when it ceased to count.
    """

    __tablename__ = "feedback_history"
    __table_args__ = (
        Index("ix_feedback_history_prediction_key", "prediction_key"),
        Index("ix_feedback_history_unit", "unit"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    prediction_key: Mapped[str] = mapped_column(String(32))
    task: Mapped[str] = mapped_column(String(63))
    version: Mapped[int]
    unit: Mapped[str | None] = mapped_column(String(16))
    label: Mapped[str | None] = mapped_column(Text)
    weight: Mapped[float] = mapped_column(Float)
    labelled_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
    replaced_at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(128))


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
