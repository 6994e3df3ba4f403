"""Records labels in SQL, many in one transaction. To be called in a storage thread."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, text

from gateway.feedback.verdict import Status
from gateway.storage.tables import Feedback, FeedbackHistory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from gateway.feedback.verdict import Entry

CONFIDENCE_BINS: Final = 15
"""Of equal width over 0 to 1, as in the exporters' reports (Guo et al. 2017)."""

DIGEST_PREFIX: Final = "digest:"
# A server that is set to lose what it acknowledges is told not to; one that is set to wait for its
# standbys too, and so to promise more, is left alone.
_ON_DISK: Final = text(
    "SELECT set_config('synchronous_commit', 'on', true) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)


def record(session: Session, entries: Sequence[Entry], now: datetime) -> list[Status]:
    """Records labels; the last of a prediction and task counts, and older ones become history.

    The same label again changes nothing, so that whoever is unsure whether it arrived can send it
    again. Which one is last, `labelled_at` says; of equals it is the one that came later.

    Args:
        session: of a transaction that writes.
        entries: in the order in which they came.
        now: the moment.

    Returns:
        What came of each, in their order; true once the transaction is committed.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_ON_DISK)
    known = _lock_known(session, {each.signed.key for each in entries})
    statuses = []
    for entry in entries:
        row = known.get(entry.place)
        if row is None:
            known[entry.place] = row = _new_row(entry, now)
            session.add(row)
            statuses.append(Status.RECORDED)
        else:
            statuses.append(_update(session, row, entry, now))
    return statuses


def confidence_bin(confidence: float | None) -> int | None:
    """Returns the bin of a confidence from 0 to 1; a bin holds its upper edge."""
    if confidence is None:
        return None
    return min(CONFIDENCE_BINS - 1, max(0, math.ceil(confidence * CONFIDENCE_BINS) - 1))


def _lock_known(session: Session, keys: set[str]) -> dict[tuple[str, str], Feedback]:
    # In one order, so that two replicas that want the same rows do not wait for each other.
    rows = session.scalars(
        select(Feedback)
        .where(Feedback.prediction_key.in_(sorted(keys)))
        .order_by(Feedback.prediction_key, Feedback.task)
        .with_for_update()
    )
    return {(row.prediction_key, row.task): row for row in rows}


def _update(session: Session, row: Feedback, entry: Entry, now: datetime) -> Status:
    if row.label == entry.value and row.weight == entry.weight:
        return Status.UNCHANGED
    if entry.labelled_at < row.labelled_at:
        session.add(_history_of(_new_row(entry, now), 0, now))
        return Status.OUTDATED
    session.add(_history_of(row, row.version, now))
    row.label, row.is_correct, row.weight = entry.value, entry.is_correct, entry.weight
    row.labelled_at, row.recorded_at = entry.labelled_at, now
    row.predicted = _predicted(entry)
    row.actor = entry.actor
    row.version += 1
    return Status.CORRECTED


def _new_row(entry: Entry, now: datetime) -> Feedback:
    receipt, draw, task = entry.signed.receipt, entry.signed.receipt.draw, entry.task
    return Feedback(
        prediction_key=entry.signed.key,
        task=task.name,
        variant=receipt.variant,
        digest=receipt.digest,
        modalities=receipt.modalities.value,
        reason=receipt.reason.value,
        experiment=draw.experiment if draw else None,
        revision=draw.revision if draw else None,
        layer=draw.layer if draw else None,
        arm=draw.arm if draw else None,
        propensity=draw.propensity if draw else None,
        unit=receipt.unit,
        predicted_at=receipt.issued_at,
        kind=task.kind,
        predicted=_predicted(entry),
        confidence=task.confidence,
        confidence_bin=confidence_bin(task.confidence),
        label=entry.value,
        is_correct=entry.is_correct,
        weight=entry.weight,
        labelled_at=entry.labelled_at,
        recorded_at=now,
        version=1,
        actor=entry.actor,
    )


def _predicted(entry: Entry) -> str:
    task = entry.task
    if task.value is not None:
        return task.value
    if entry.is_correct and entry.value is not None:
        return entry.value
    return DIGEST_PREFIX + task.digest.hex()


def _history_of(row: Feedback, version: int, now: datetime) -> FeedbackHistory:
    return FeedbackHistory(
        prediction_key=row.prediction_key,
        task=row.task,
        version=version,
        unit=row.unit,
        label=row.label,
        weight=row.weight,
        labelled_at=row.labelled_at,
        recorded_at=row.recorded_at,
        replaced_at=now,
        actor=row.actor,
    )
