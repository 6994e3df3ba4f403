"""Recent examples: captured features joined with the labels that feedback brought.

Both sides are samples. A captured row stands for `sampling_weight` answers, and a labelled one for
`weight` predictions; draws are independent, so an example's weight is their product (Horvitz and
Thompson 1952, "A Generalization of Sampling Without Replacement From a Finite Universe"). Weights
above ten times their mean are cut there, which bounds what one example can do at the price of some
bias (Ionides 2008, "Truncated Importance Sampling").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import create_engine, make_url, select
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from exporters.digests import digest_of_json
from exporters.drift.captured import captured_dataset, image_file_of, text_shape_of
from exporters.retraining.errors import FeedbackDatabaseError
from gateway.contract.feedback import FEEDBACK, ONLY_TASK
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gateway.contract.drift.properties import ImageProperties, TextProperties

_MAX_TO_MEAN: Final = 10.0
_COLUMNS: Final = (
    "prediction_key", "predicted_at", "digest", "modalities", "sampling_weight", "image_features",
    "text_features", "image_bytes", "image_width_px", "image_height_px", "image_format",
    "text_chars", "text_script", "text_familiarity",
)  # fmt: skip


@dataclass(frozen=True)
class Feedback:
    """A label: index among the variant's labels, and how many predictions it stands for."""

    label: str
    weight: float


@dataclass(frozen=True)
class InputFacts:
    """What a captured row says of its inputs from outside.

    Attributes:
        digest: of the variant that answered.
        image_file: size, format.
        text_shape: length, script.
        familiarity: of the text, by the profile of the variant that answered; None: it has none.
    """

    digest: str
    image_file: ImageProperties
    text_shape: TextProperties
    familiarity: float | None


@dataclass(frozen=True)
class RecentExamples:
    """Joined examples with both modalities, oldest first.

    Attributes:
        text: features, shape (examples, text_dim), float32 from half precision.
        image: features, shape (examples, image_dim), the same.
        truth: index of the label, shape (examples,).
        weights: how many predictions each stands for, mean 1, shape (examples,).
        inputs: what they were from outside.
        since, until: when the first and the last of them was predicted.
        digest: SHA-256 of predictions and labels.
        left_out: how many labelled or captured ones could not be used, by reason.
    """

    text: NDArray[np.float32]
    image: NDArray[np.float32]
    truth: NDArray[np.int64]
    weights: NDArray[np.float64]
    inputs: tuple[InputFacts, ...]
    since: datetime | None
    until: datetime | None
    digest: str
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def left_out_text(self) -> str:
        """What was left out, as part of a sentence."""
        said = [f"{count} {reason}" for reason, count in self.left_out.items() if count]
        return f"left out: {', '.join(said)}" if said else "none was left out"


def read_feedback(database: str, since: datetime | None) -> dict[str, Feedback]:
    """Reads labels of predictions, those of "unsure" left out.

    Args:
        database: URL, as the gateway has it.
        since: predictions before are left out.

    Returns:
        By prediction key.

    Raises:
        FeedbackDatabaseError: the database cannot be read.
    """
    c = FEEDBACK.c
    wanted = select(c.prediction_key, c.label, c.weight).where(
        c.task == ONLY_TASK, c.kind == "one", c.label.is_not(None)
    )
    if since is not None:
        wanted = wanted.where(c.predicted_at >= since.astimezone(UTC))
    try:
        url = make_url(database)
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            return {row[0]: Feedback(row[1], row[2]) for row in connection.execute(wanted)}
    except ArgumentError:
        raise FeedbackDatabaseError("that is no database URL") from None
    except SQLAlchemyError as error:
        # The driver's own words: SQLAlchemy's would add the statement.
        raise FeedbackDatabaseError(str(error.__cause__ or type(error).__name__).strip()) from error


def join_recent(
    captures: Sequence[Path],
    feedback: Mapping[str, Feedback],
    *,
    labels: Sequence[str],
    digests: Collection[str],
    since: datetime | None,
) -> RecentExamples:
    """Joins captured answers with their labels.

    Args:
        captures: folders of gateways.
        feedback: labels by prediction key.
        labels: of the live variant.
        digests: of variants whose features can be used.
        since: answers before are left out.

    Raises:
        CaptureError: a folder holds no capture of a form that is known.
    """
    rows = _captured(captures, since)
    rows.sort(key=lambda row: (row["predicted_at"], row["prediction_key"]))
    index = {label: position for position, label in enumerate(labels)}
    used: dict[str, dict[str, Any]] = {}
    left_out = dict.fromkeys(
        ("without a label yet", "of other encoders", "with one input alone", "of unknown labels"), 0
    )
    for row in rows:
        known = feedback.get(row["prediction_key"])
        if known is None:
            left_out["without a label yet"] += 1
        elif row["digest"] not in digests:
            left_out["of other encoders"] += 1
        elif row["modalities"] != ModalitySet.BOTH or None in (
            row["image_bytes"],
            row["text_chars"],
        ):
            left_out["with one input alone"] += 1
        elif known.label not in index:
            left_out["of unknown labels"] += 1
        else:
            used[row["prediction_key"]] = row
    chosen = list(used.values())
    told = [feedback[key] for key in used]
    weights = [row["sampling_weight"] * each.weight for row, each in zip(chosen, told, strict=True)]
    return RecentExamples(
        text=_features(chosen, "text_features"),
        image=_features(chosen, "image_features"),
        truth=np.array([index[each.label] for each in told], np.int64),
        weights=truncated(np.array(weights, np.float64)),
        inputs=tuple(_facts(row) for row in chosen),
        since=chosen[0]["predicted_at"] if chosen else None,
        until=chosen[-1]["predicted_at"] if chosen else None,
        digest=digest_of_json([[key, each.label] for key, each in zip(used, told, strict=True)]),
        left_out=left_out,
    )


def truncated(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns weights with mean 1, none of which was above ten times the mean."""
    if not len(weights):
        return weights
    cut = np.minimum(weights, _MAX_TO_MEAN * weights.mean())
    scaled: NDArray[np.float64] = cut / cut.mean()
    return scaled


def _captured(captures: Sequence[Path], since: datetime | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for folder in captures:
        dataset = captured_dataset(folder)
        wanted = None
        if since is not None:
            wanted = pc.field("predicted_at") >= pa.scalar(since, pa.timestamp("ms", tz="UTC"))
        rows += dataset.to_table(columns=list(_COLUMNS), filter=wanted).to_pylist()
    return rows


def _facts(row: Mapping[str, Any]) -> InputFacts:
    image, text = image_file_of(row), text_shape_of(row)
    assert image is not None  # noqa: S101  # the row was chosen for having both
    assert text is not None  # noqa: S101  # the same
    return InputFacts(row["digest"], image, text, row["text_familiarity"])


def _features(rows: Sequence[Mapping[str, Any]], column: str) -> NDArray[np.float32]:
    if not rows:
        return np.zeros((0, 0), np.float32)
    return np.stack([np.array(row[column], np.float32) for row in rows])
