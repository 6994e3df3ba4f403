"""What callers say of a prediction, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gateway.receipts.receipt import PredictedTask, SignedReceipt


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of one task.

    Attributes:
        label: of a task of one label; None: not given so.
        labels: of a task of several, which may be none of them; None: not given so.
        is_unsure: whoever looked could not tell. One of the three is given.
    """

    label: str | None = None
    labels: tuple[str, ...] | None = None
    is_unsure: bool = False


@dataclass(frozen=True, slots=True)
class SentFeedback:
    """One item, as any transport reads it.

    Attributes:
        prediction_id: of the answer.
        verdict: of the first or only task, or None.
        tasks: verdicts by name of the task.
        labelled_at: when somebody looked; None: now.
        sampling_probability: with which the caller chose this prediction to be labelled, above 0 to
            1.
    """

    prediction_id: str
    verdict: Verdict | None
    tasks: Mapping[str, Verdict]
    labelled_at: datetime | None = None
    sampling_probability: float = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One label of one task, checked, with the receipt that it joins.

    Attributes:
        signed: the receipt.
        task: the one of its tasks.
        value: `labels_value` of what is true; None: unsure.
        is_correct: whether it is what was predicted; None: unsure.
        weight: inverse of the sampling probability.
        labelled_at: when somebody looked.
        actor: name of the API key.
    """

    signed: SignedReceipt
    task: PredictedTask
    value: str | None
    is_correct: bool | None
    weight: float
    labelled_at: datetime
    actor: str

    @property
    def place(self) -> tuple[str, str]:
        """What it is the label of: prediction and task."""
        return self.signed.key, self.task.name


class Status(StrEnum):
    """What came of a label; of several tasks, the first in this order."""

    RECORDED = "recorded"
    """The first of its prediction."""

    CORRECTED = "corrected"
    """It takes the place of another, which is kept as history."""

    OUTDATED = "outdated"
    """One that was given later is known; this one is kept as history."""

    UNCHANGED = "unchanged"
    """It was known."""
