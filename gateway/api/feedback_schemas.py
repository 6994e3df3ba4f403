"""The JSON of feedback, and how it becomes what the use case takes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StrictStr

from gateway.api.schemas import ProblemBody
from gateway.errors import MalformedRequestError
from gateway.feedback.verdict import SentFeedback, Status, Verdict

if TYPE_CHECKING:
    from gateway.feedback.intake import Taken


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VerdictBody(_Closed):
    """What is true of one task: one of the three."""

    label: Annotated[
        StrictStr | None, Field(description="The label that is right, where an item has one.")
    ] = None
    labels: Annotated[
        list[StrictStr] | None,
        Field(description="All labels that apply, where an item may have several; may be empty."),
    ] = None
    is_unsure: Annotated[
        StrictBool, Field(description="Whether whoever looked could not tell.")
    ] = False


class FeedbackBody(VerdictBody):
    """What is true of one prediction; `tasks` where it has several, by their names."""

    prediction_id: Annotated[StrictStr, Field(description="Of the answer, as it came.")]
    tasks: dict[str, VerdictBody] = {}
    labelled_at: Annotated[
        AwareDatetime | None,
        Field(description="When somebody looked; of two labels the later one counts. Now."),
    ] = None
    sampling_probability: Annotated[
        float,
        Field(
            description="With which this prediction was chosen to be labelled, above 0 to 1: "
            "figures are corrected for it."
        ),
    ] = 1.0


class FeedbackBatchBody(_Closed):
    """Several items. Each is a `FeedbackBody`, checked apart: a bad one fails alone."""

    items: Annotated[list[Any], Field(min_length=1)]


class FeedbackAnswer(_Closed):
    """What came of one item. It is on the disk of the database."""

    status: Status
    variant: Annotated[str, Field(description="That made the prediction.")]
    predicted_at: datetime


class FeedbackResult(_Closed):
    """One item's answer or its problem."""

    result: FeedbackAnswer | None = None
    problem: ProblemBody | None = None


class FeedbackBatchAnswer(_Closed):
    """One entry for each item, in the items' order."""

    items: list[FeedbackResult]


class FigureAnswer(_Closed):
    """A figure with its 95 % interval."""

    estimate: float
    low: float
    high: float


class QualityAnswer(_Closed):
    """What feedback says of a variant, or of an arm of an experiment."""

    variant: str
    digest: Annotated[str, Field(description="First 16 digits.")]
    task: Annotated[str | None, Field(description="Null for the only one of a variant.")]
    experiment: str | None
    revision: Annotated[str | None, Field(description="Changes with the experiment's shares.")]
    arm: str | None
    labels: Annotated[int, Field(description="How many predictions are labelled.")]
    effective_labels: Annotated[
        float, Field(description="How many of equal weight would tell as much (Kish).")
    ]
    accuracy: FigureAnswer
    macro_f1: Annotated[
        FigureAnswer | None, Field(description="Null for several labels an item, or too many.")
    ]
    calibration_error: Annotated[
        FigureAnswer | None, Field(description="Null for several labels an item.")
    ]
    confidence: Annotated[
        FigureAnswer | None, Field(description="Null for several labels an item.")
    ]


class FeedbackSummaryAnswer(_Closed):
    """Quality from joined feedback, of predictions made since a moment."""

    since: datetime
    group: Literal["variant", "arm"]
    items: list[QualityAnswer]


def to_sent(body: FeedbackBody) -> SentFeedback:
    """Reads one item.

    Raises:
        MalformedRequestError: a verdict says nothing, or more than one thing.
    """
    tasks = {}
    for name, each in body.tasks.items():
        verdict = _verdict(each, "tasks")
        if verdict is None:
            raise MalformedRequestError(
                "verdict_missing",
                "Nothing is said of a task: give label, labels or is_unsure.",
                field="tasks",
            )
        tasks[name] = verdict
    return SentFeedback(
        body.prediction_id,
        _verdict(body, "label"),
        tasks,
        body.labelled_at,
        body.sampling_probability,
    )


def _verdict(body: VerdictBody, field: str) -> Verdict | None:
    said = (body.label is not None) + (body.labels is not None) + body.is_unsure
    if said > 1:
        raise MalformedRequestError(
            "verdict_ambiguous",
            "Of label, labels and is_unsure more than one is given; send the one that holds.",
            field=field,
        )
    labels = None if body.labels is None else tuple(body.labels)
    return Verdict(body.label, labels, body.is_unsure) if said else None


def feedback_answer(taken: Taken) -> dict[str, Any]:
    """Returns the JSON of a `FeedbackAnswer`."""
    return {
        "status": taken.status,
        "variant": taken.receipt.variant,
        "predicted_at": taken.receipt.issued_at.isoformat(),
    }
