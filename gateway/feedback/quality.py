"""What feedback says of each variant, or of each arm: read, estimated, and shown in the metrics."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from gateway.errors import GatewayError
from gateway.feedback import figures
from gateway.feedback.outcome_queries import read_confusions, read_sums
from gateway.feedback.outcomes import OutcomeFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

    from gateway.feedback.figures import Figure
    from gateway.feedback.outcomes import Confusion, OutcomeGroup, OutcomeSums
    from gateway.storage.database import Database
    from gateway.telemetry.feedback_metrics import FeedbackMetrics

_SORTED_BY: Final = ("experiment", "revision", "arm", "variant", "digest", "task")


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one group.

    Attributes:
        group: a variant's digest and task; of arms, the arm of one revision of an experiment.
        labels: how many predictions are labelled.
        effective_labels: how many of equal weight would tell as much.
        accuracy: share that is right; of several labels an item, share of sets that are.
        macro_f1: None of several labels, and where there are too many pairs of labels to read.
        calibration_error: None of several labels.
        confidence: None of several labels.
    """

    group: OutcomeGroup
    labels: int
    effective_labels: float
    accuracy: Figure
    macro_f1: Figure | None
    calibration_error: Figure | None
    confidence: Figure | None

    def figures(self) -> dict[str, Figure]:
        """Returns those that there are, by name."""
        named = {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "calibration_error": self.calibration_error,
            "confidence": self.confidence,
        }
        return {name: figure for name, figure in named.items() if figure is not None}


def read_quality(session: Session, wanted: OutcomeFilter, *, by_arm: bool = False) -> list[Quality]:
    """Reads and estimates; to be called in a storage thread.

    Args:
        session: of a read.
        wanted: which outcomes.
        by_arm: whether groups are arms; see `outcome_queries.read_sums`.
    """
    sums = read_sums(session, wanted, by_arm=by_arm)
    confusions = read_confusions(session, wanted, by_arm=by_arm) or {}
    found = [_quality(group, each, confusions.get(group)) for group, each in sums.items()]
    return sorted(
        found, key=lambda each: tuple(getattr(each.group, name) or "" for name in _SORTED_BY)
    )


def _quality(
    group: OutcomeGroup, sums: Sequence[OutcomeSums], cells: Sequence[Confusion] | None
) -> Quality:
    has_confidence = all(each.confidence_bin is not None for each in sums)
    return Quality(
        group,
        sum(each.count for each in sums),
        figures.effective_labels(sums),
        figures.accuracy(sums),
        figures.macro_f1(cells) if cells and has_confidence else None,
        figures.calibration_error(sums) if has_confidence else None,
        figures.confidence(sums) if has_confidence else None,
    )


def _now() -> datetime:
    return datetime.now(UTC)


class QualityWatch:
    """Keeps the metrics of quality up to date.

    Args:
        database: where feedback is.
        metrics: where the figures are shown.
        window: how far back predictions count.
        refresh_s: time between two looks, in seconds.
        now: reads the wall clock.
    """

    def __init__(
        self,
        database: Database,
        metrics: FeedbackMetrics,
        window: timedelta,
        refresh_s: float,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._window = window
        self._refresh_s = refresh_s
        self._now = now

    async def run(self) -> None:
        """Looks again and again until cancelled; while the database is away the last look stays."""
        while True:
            with contextlib.suppress(GatewayError):  # the next look shows what it can
                await self.look()
            await asyncio.sleep(self._refresh_s)

    async def look(self) -> None:
        """Looks once.

        Raises:
            StorageUnavailableError: the database is away.
            StorageOutdatedError: its schema is not that of this release.
        """
        wanted = OutcomeFilter(since=self._now() - self._window)
        found = await self._database.read(lambda session: read_quality(session, wanted))
        shown: dict[tuple[str, ...], float] = {}
        effective: dict[tuple[str, ...], float] = {}
        for each in found:
            place = (each.group.variant, each.group.digest, each.group.task)
            effective[place] = each.effective_labels
            for name, figure in each.figures().items():
                shown[*place, name, "estimate"] = figure.estimate
                shown[*place, name, "low"] = figure.low
                shown[*place, name, "high"] = figure.high
        self._metrics.show_quality(shown, effective)
