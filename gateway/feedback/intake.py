"""Takes feedback in: checks receipts and labels, and answers when they are committed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from gateway.errors import (
    FeedbackNotConfiguredError,
    GatewayError,
    MalformedRequestError,
    StaleReceiptError,
    StorageNotConfiguredError,
)
from gateway.feedback.label_check import LabelCheck, task_of
from gateway.feedback.verdict import Entry, Status
from gateway.receipts.receipt import labels_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gateway.catalog import Catalog
    from gateway.feedback.verdict import SentFeedback, Verdict
    from gateway.feedback.writer import FeedbackWriter
    from gateway.receipts.receipt import Receipt, SignedReceipt
    from gateway.receipts.ring import ReceiptRing
    from gateway.telemetry.feedback_metrics import FeedbackMetrics

_CLOCKS_DIFFER: Final = timedelta(minutes=5)  # by as much as that at most
_LEAST_PROBABILITY: Final = 1e-6


@dataclass(frozen=True, slots=True)
class FeedbackLimits:
    """What one request may hold.

    Attributes:
        max_items: of a batch.
        max_label_chars: Unicode characters of a label.
        max_age_days: of a prediction.
    """

    max_items: int
    max_label_chars: int
    max_age_days: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Feedback that is committed.

    Attributes:
        status: what came of it.
        receipt: of the prediction.
    """

    status: Status
    receipt: Receipt


def _now() -> datetime:
    return datetime.now(UTC)


class FeedbackIntake:
    """The use case.

    Args:
        ring: checks receipts.
        catalog: returns what is served now; knows the labels.
        writer: commits; None: there is no database.
        metrics: what came of each item.
        limits: of one request.
        is_shared: whether replicas share the database.
        now: reads the wall clock.
    """

    def __init__(  # noqa: PLR0913 - one of each collaborator
        self,
        ring: ReceiptRing,
        catalog: Callable[[], Catalog],
        writer: FeedbackWriter | None,
        metrics: FeedbackMetrics,
        limits: FeedbackLimits,
        *,
        is_shared: bool,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._ring = ring
        self._labels = LabelCheck(catalog, limits.max_label_chars)
        self._writer = writer
        self._metrics = metrics
        self.limits = limits
        self._is_shared = is_shared
        self._now = now

    def require_ready(self) -> FeedbackWriter:
        """Returns the writer, where feedback can be taken at all.

        Raises:
            StorageNotConfiguredError: there is no database.
            FeedbackNotConfiguredError: replicas share it, and no keys that check receipts.
        """
        if self._writer is None:
            raise StorageNotConfiguredError
        if self._is_shared and self._ring.is_ephemeral:
            raise FeedbackNotConfiguredError
        return self._writer

    async def take(
        self, items: Sequence[SentFeedback | GatewayError], actor: str
    ) -> list[Taken | GatewayError]:
        """Takes the items of one request, each by itself.

        Args:
            items: as they were sent; what could not be read stays what it is.
            actor: name of the API key.

        Returns:
            For each, in their order, what came of it once it is committed.

        Raises:
            GatewayError: none of them was recorded, for a reason that is no single item's.
        """
        writer = self.require_ready()
        checked = [self._try_check(each, actor) for each in items]
        entries = [entry for each in checked if isinstance(each, list) for entry in each]
        statuses: Iterator[Status] = iter(await writer.write(entries) if entries else ())
        return [
            each if isinstance(each, GatewayError) else self._taken(each, statuses)
            for each in checked
        ]

    async def close(self) -> None:
        """Ends what is being written; who still waits is not answered."""
        if self._writer is not None:
            await self._writer.close()

    def count(self, outcome: Taken | GatewayError) -> None:
        """Counts one item by what came of it."""
        self._metrics.count_item(
            outcome.code if isinstance(outcome, GatewayError) else outcome.status
        )

    @staticmethod
    def _taken(entries: Sequence[Entry], statuses: Iterator[Status]) -> Taken:
        found = {next(statuses) for _ in entries}
        return Taken(next(each for each in Status if each in found), entries[0].signed.receipt)

    def _try_check(
        self, item: SentFeedback | GatewayError, actor: str
    ) -> list[Entry] | GatewayError:
        if isinstance(item, GatewayError):
            return item
        try:
            return self._check(item, actor)
        except GatewayError as error:
            return error

    def _check(self, item: SentFeedback, actor: str) -> list[Entry]:
        signed, now = self._ring.verify(item.prediction_id), self._now()
        age = now - signed.receipt.issued_at
        if age > timedelta(days=self.limits.max_age_days):
            raise StaleReceiptError(self.limits.max_age_days, age.days)
        labelled_at = item.labelled_at or now
        if labelled_at > now + _CLOCKS_DIFFER:
            raise MalformedRequestError(
                "labelled_at_in_future",
                "labelled_at is in the future; leave it out for now.",
                field="labelled_at",
            )
        probability = item.sampling_probability
        if not (_LEAST_PROBABILITY <= probability <= 1 and math.isfinite(probability)):
            raise MalformedRequestError(
                "sampling_probability_out_of_range",
                f"sampling_probability must be from {_LEAST_PROBABILITY:g} to 1: the chance with "
                "which this prediction was chosen to be labelled.",
                field="sampling_probability",
            )
        entries = []
        for field, name, verdict in _verdicts(item, signed):
            task = task_of(signed.receipt, name)
            value = self._labels.value(signed.receipt, task, verdict, field)
            is_correct = None if value is None else labels_digest(value) == task.digest
            entries.append(
                Entry(signed, task, value, is_correct, 1 / probability, labelled_at, actor)
            )
        if not entries:
            raise MalformedRequestError(
                "verdict_missing",
                "Nothing is said of the prediction: send label, labels, is_unsure or tasks.",
            )
        return entries


def _verdicts(item: SentFeedback, signed: SignedReceipt) -> Iterator[tuple[str, str, Verdict]]:
    """Yields field, task and verdict of all that an item says."""
    first = signed.receipt.tasks[0].name
    if item.verdict is not None:
        yield "label", first, item.verdict
    for name, verdict in item.tasks.items():
        if item.verdict is not None and name == first:
            raise MalformedRequestError(
                "verdict_twice",
                f"The task {first} is given twice: in tasks and beside it.",
                field="tasks",
            )
        yield f"tasks.{name[:64]}", name, verdict
