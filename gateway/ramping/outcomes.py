"""Reads labelled predictions of an experiment, added up in SQL as the comparison needs them.

Only of what chance assigned; a stratum is one day of one revision of the experiment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from gateway.deciding.outcomes import CONFIDENCE_BINS, ConfidenceBins, OutcomeSums, Stratum
from gateway.routing.reason import Reason
from gateway.storage.tables import Feedback

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session
    from sqlalchemy.sql import ColumnElement


@dataclass(frozen=True, slots=True)
class Scope:
    """Which labelled predictions.

    Attributes:
        experiment: its name.
        task: whose labels.
        since: predicted at or after it; None: all.
    """

    experiment: str
    task: str
    since: datetime | None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Returns it in SQL."""
        conditions: list[ColumnElement[bool]] = [
            Feedback.experiment == self.experiment,
            Feedback.task == self.task,
            Feedback.reason == Reason.ASSIGNED.value,
            Feedback.is_correct.is_not(None),
        ]
        if self.since is not None:
            conditions.append(Feedback.predicted_at >= self.since)
        return conditions


@dataclass(frozen=True, slots=True)
class ReadOutcomes:
    """What was found; arms without any are left out.

    Attributes:
        by_stratum: by revision and day, then by arm.
        bins: by arm.
    """

    by_stratum: dict[tuple[str, str], dict[str, OutcomeSums]]
    bins: dict[str, ConfidenceBins]

    def strata(self, control: str, candidate: str) -> tuple[Stratum, ...]:
        """Returns the strata of two arms."""
        nothing = OutcomeSums()
        return tuple(
            Stratum(arms.get(control, nothing), arms.get(candidate, nothing))
            for _, arms in sorted(self.by_stratum.items())
        )

    def bins_of(self, arm: str) -> ConfidenceBins:
        """Returns the bins of one arm."""
        nothing = (0.0,) * CONFIDENCE_BINS
        return self.bins.get(arm, ConfidenceBins(nothing, nothing, nothing))


def read_outcomes(session: Session, scope: Scope) -> ReadOutcomes:
    """Reads."""
    return ReadOutcomes(_read_sums(session, scope), _read_bins(session, scope))


def _read_sums(session: Session, scope: Scope) -> dict[tuple[str, str], dict[str, OutcomeSums]]:
    correct = case((Feedback.is_correct.is_(True), Feedback.weight), else_=0.0)
    # A prediction without a unit is one by itself.
    unit = func.coalesce(Feedback.unit, Feedback.prediction_key)
    day = func.date(Feedback.predicted_at)
    units = (
        select(
            Feedback.revision.label("revision"),
            day.label("day"),
            Feedback.arm.label("arm"),
            func.count().label("count"),
            func.sum(correct).label("a"),
            func.sum(Feedback.weight).label("b"),
            func.sum(Feedback.weight * Feedback.weight).label("ww"),
        )
        .where(*scope.conditions())
        .group_by(Feedback.revision, day, Feedback.arm, unit)
        .subquery()
    )
    of = units.c
    rows = session.execute(
        select(
            of.revision,
            of.day,
            of.arm,
            func.sum(of.count),
            func.count(),
            func.sum(of.b),
            func.sum(of.ww),
            func.sum(of.a),
            func.sum(of.a * of.a),
            func.sum(of.a * of.b),
            func.sum(of.b * of.b),
        ).group_by(of.revision, of.day, of.arm)
    )
    found: dict[tuple[str, str], dict[str, OutcomeSums]] = {}
    for revision, on_day, arm, count, unit_count, *sums in rows:
        arms = found.setdefault((str(revision), str(on_day)), {})
        arms[arm] = OutcomeSums(int(count), int(unit_count), *map(float, sums))
    return found


def _read_bins(session: Session, scope: Scope) -> dict[str, ConfidenceBins]:
    gap = Feedback.weight * Feedback.confidence - case(
        (Feedback.is_correct.is_(True), Feedback.weight), else_=0.0
    )
    rows = session.execute(
        select(
            Feedback.arm,
            Feedback.confidence_bin,
            func.sum(Feedback.weight),
            func.sum(Feedback.weight * Feedback.weight),
            func.sum(gap),
        )
        .where(*scope.conditions(), Feedback.confidence_bin.is_not(None))
        .group_by(Feedback.arm, Feedback.confidence_bin)
    )
    sums: dict[str, list[list[float]]] = {}
    for arm, confidence_bin, *values in rows:
        of_arm = sums.setdefault(str(arm), [[0.0] * CONFIDENCE_BINS for _ in range(3)])
        for column, value in zip(of_arm, values, strict=True):
            column[int(confidence_bin or 0)] = float(value)
    return {
        arm: ConfidenceBins(tuple(weights), tuple(squares), tuple(gaps))
        for arm, (weights, squares, gaps) in sums.items()
    }
