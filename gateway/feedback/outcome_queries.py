"""Reads joined outcomes from SQL. To be called in a storage thread."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, case, func, select

from gateway.feedback.outcomes import Confusion, JoinedOutcome, OutcomeGroup, OutcomeSums
from gateway.feedback.store import DIGEST_PREFIX
from gateway.storage.tables import Feedback

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session
    from sqlalchemy.sql import ColumnElement

    from gateway.feedback.outcomes import OutcomeFilter

MAX_CELLS: Final = 65_536
"""Most pairs of predicted and true label that `read_confusions` reads: 256 labels each."""


def read_outcomes(
    session: Session,
    wanted: OutcomeFilter,
    *,
    limit: int,
    after: tuple[datetime, str, str] | None = None,
) -> list[JoinedOutcome]:
    """Returns outcomes in the order in which they were predicted, those of "unsure" included.

    Args:
        session: of a read.
        wanted: which.
        limit: most of them.
        after: `predicted_at`, `prediction_key` and `task` of the last one of the page before.
    """
    place = (Feedback.predicted_at, Feedback.prediction_key, Feedback.task)
    rows = select(Feedback).where(*_conditions(wanted)).order_by(*place).limit(limit)
    if after is not None:
        at, key, task = place
        rows = rows.where(
            (at > after[0])
            | ((at == after[0]) & (key > after[1]))
            | ((at == after[0]) & (key == after[1]) & (task > after[2]))
        )
    return [_outcome(row) for row in session.scalars(rows)]


def read_sums(
    session: Session, wanted: OutcomeFilter, *, by_arm: bool = False
) -> dict[OutcomeGroup, list[OutcomeSums]]:
    """Sums up outcomes in SQL, by group and bin of confidence.

    Args:
        session: of a read.
        wanted: which.
        by_arm: whether groups are arms of experiments too; then only outcomes of experiments count,
            and of these only those that a draw decided: no overrides, no gated arms.
    """
    w, p = Feedback.weight, func.coalesce(Feedback.confidence, 0.0)
    c = case((Feedback.is_correct.is_(True), 1.0), else_=0.0)
    columns = _group_columns(by_arm=by_arm)
    terms = (w, w * w, w * c, w * w * c, w * p, w * w * p, w * w * p * p, w * w * c * p)
    rows = session.execute(
        select(
            *columns,
            Feedback.confidence_bin,
            func.count(type_=Integer),
            *[func.sum(each) for each in terms],
        )
        .where(*_labelled(wanted, by_arm=by_arm))
        .group_by(*columns, Feedback.confidence_bin)
    )
    found: dict[OutcomeGroup, list[OutcomeSums]] = {}
    for row in rows:
        group, sums = OutcomeGroup(*row[: len(columns)]), OutcomeSums(*row[len(columns) :])
        found.setdefault(group, []).append(sums)
    return found


def read_confusions(
    session: Session, wanted: OutcomeFilter, *, by_arm: bool = False
) -> dict[OutcomeGroup, list[Confusion]] | None:
    """Counts pairs of predicted and true label in SQL; see `read_sums`.

    Returns:
        The pairs by group, or None where there are more than `MAX_CELLS`.
    """
    columns = _group_columns(by_arm=by_arm)
    rows = session.execute(
        select(
            *columns,
            Feedback.predicted,
            Feedback.label,
            func.count(type_=Integer),
            func.sum(Feedback.weight),
            func.sum(Feedback.weight * Feedback.weight),
        )
        .where(*_labelled(wanted, by_arm=by_arm))
        .group_by(*columns, Feedback.predicted, Feedback.label)
        .limit(MAX_CELLS + 1)
    ).all()
    if len(rows) > MAX_CELLS:
        return None
    found: dict[OutcomeGroup, list[Confusion]] = {}
    for row in rows:
        group, cell = OutcomeGroup(*row[: len(columns)]), Confusion(*row[len(columns) :])
        found.setdefault(group, []).append(cell)
    return found


def _group_columns(*, by_arm: bool) -> list[Any]:
    columns: list[Any] = [Feedback.variant, Feedback.digest, Feedback.task]
    return [*columns, Feedback.experiment, Feedback.revision, Feedback.arm] if by_arm else columns


def _conditions(wanted: OutcomeFilter) -> list[ColumnElement[bool]]:
    equal = (
        (Feedback.variant, wanted.variant),
        (Feedback.experiment, wanted.experiment),
        (Feedback.revision, wanted.revision),
        (Feedback.task, wanted.task),
    )
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in equal if value is not None
    ]
    if wanted.since is not None:
        conditions.append(Feedback.predicted_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(Feedback.predicted_at < wanted.until)
    return conditions


def _labelled(wanted: OutcomeFilter, *, by_arm: bool) -> list[ColumnElement[bool]]:
    conditions = [*_conditions(wanted), Feedback.label.is_not(None)]
    if by_arm:
        conditions += [Feedback.experiment.is_not(None), Feedback.reason == "assigned"]
    return conditions


def _outcome(row: Feedback) -> JoinedOutcome:
    return JoinedOutcome(
        prediction_key=row.prediction_key,
        task=row.task,
        variant=row.variant,
        digest=row.digest,
        modalities=row.modalities,
        experiment=row.experiment,
        revision=row.revision,
        arm=row.arm,
        reason=row.reason,
        propensity=row.propensity,
        predicted=(
            None
            if row.predicted.startswith(DIGEST_PREFIX)
            else labels_of_value(row.predicted, row.kind)
        ),
        confidence=row.confidence,
        label=None if row.label is None else labels_of_value(row.label, row.kind),
        is_correct=row.is_correct,
        weight=row.weight,
        unit=row.unit,
        predicted_at=row.predicted_at,
        labelled_at=row.labelled_at,
    )


def labels_of_value(value: str, kind: str) -> tuple[str, ...]:
    """Reads what `receipts.receipt.labels_value` wrote."""
    return (value,) if kind == "one" else tuple(json.loads(value))
