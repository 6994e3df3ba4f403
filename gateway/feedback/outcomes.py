"""Joined outcomes: what was predicted beside what was true, row by row or as sums.

Stable for those who build on it: `JoinedOutcome`, `OutcomeSums`, `Confusion`, `OutcomeFilter`, and
the functions of `outcome_queries`, which take a session of `storage.Database.read`. A row is one
task of one prediction that somebody labelled; corrections have taken the place of what they
correct, and verdicts of "unsure" are rows without a label, which no sum counts. Columns of the
tables may change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class OutcomeFilter:
    """Which outcomes; None: all.

    Attributes:
        variant: that answered.
        experiment: that drew the arm. Answers given to callers who asked for a variant by name are
            in none.
        revision: of the experiment.
        task: name; empty for the only one of a variant.
        since: predicted at or after it.
        until: predicted before it.
    """

    variant: str | None = None
    experiment: str | None = None
    revision: str | None = None
    task: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class JoinedOutcome:
    """One task of one prediction, and what is true of it.

    Attributes:
        prediction_key: names the prediction; the same in captured features.
        task: name; empty for the only one of a variant.
        variant: that answered.
        digest: first 16 hexadecimal digits of its digest.
        modalities: `both`, `text` or `image`.
        experiment: that drew, or None.
        revision: of the experiment: 8 hexadecimal digits, others when shares or arms change.
        arm: that was drawn; not the variant where the reason is `arm_gated`.
        reason: why the variant answered, as in the answer's `assignment`.
        propensity: the arm's share of the experiment, or None.
        predicted: labels that were predicted: exactly one, or of a task of several any number. None
            where only their digest is known.
        confidence: probability of the best label; None of several labels.
        label: labels that are true, in the same way; None: unsure.
        is_correct: whether they are equal; None: unsure.
        weight: inverse of the probability with which it was chosen to be labelled.
        unit: keyed hash of the unit key, or None.
        predicted_at: when it was predicted.
        labelled_at: when somebody looked.
    """

    prediction_key: str
    task: str
    variant: str
    digest: str
    modalities: str
    experiment: str | None
    revision: str | None
    arm: str | None
    reason: str
    propensity: float | None
    predicted: tuple[str, ...] | None
    confidence: float | None
    label: tuple[str, ...] | None
    is_correct: bool | None
    weight: float
    unit: str | None
    predicted_at: datetime
    labelled_at: datetime


@dataclass(frozen=True, slots=True)
class OutcomeGroup:
    """What sums are taken over.

    `experiment`, `revision` and `arm` are None where they were not asked for.
    """

    variant: str
    digest: str
    task: str
    experiment: str | None = None
    revision: str | None = None
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class OutcomeSums:
    """Sums over labelled outcomes of one group with a confidence in one bin.

    With w the weight, c whether it was correct (0 or 1) and p the confidence, each sum is over the
    outcomes: enough for weighted means and their variances by linearisation.

    Attributes:
        confidence_bin: from 0, of `store.CONFIDENCE_BINS`; None of tasks of several labels, whose
            p counts as 0.
        count: of outcomes.
        w: sum of w.
        ww: of w².
        wc: of w·c.
        wwc: of w²·c.
        wp: of w·p.
        wwp: of w²·p.
        wwpp: of w²·p².
        wwcp: of w²·c·p.
    """

    confidence_bin: int | None
    count: int
    w: float
    ww: float
    wc: float
    wwc: float
    wp: float
    wwp: float
    wwpp: float
    wwcp: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """Outcomes of one group that were predicted and labelled alike.

    Attributes:
        predicted: as one text, `receipts.receipt.labels_value`.
        label: the same.
        count: of outcomes.
        w: sum of their weights.
        ww: sum of the squares.
    """

    predicted: str
    label: str
    count: int
    w: float
    ww: float
