"""Captured answers: the columns of their Parquet files, written by the gateway, read by exporters.

Files lie in `day=YYYY-MM-DD` folders, by the day (UTC) of the answer. `prediction_key` joins a row
with feedback. `sampling_weight` is the inverse of the probability with which an answer like this
was drawn, given its confidence and what its shadows said: weighted by it, rows stand for all
answers that were computed (Horvitz and Thompson 1952, "A Generalization of Sampling Without
Replacement From a Finite Universe"). Answers that were reused are equal to one that was computed,
and are not drawn.

A change here is a new `SCHEMA_VERSION`; a column may be added without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SCHEMA_VERSION: Final = 1
VERSION_KEY: Final = b"diptych_capture"
"""Under which the version stands in a file's metadata."""

OTHER_TASKS: Final = "other_tasks"
"""A column that the first parts of version 1 have not."""

UNIFORM: Final = "uniform"
LOW_CONFIDENCE: Final = "low_confidence"
DISAGREEMENT: Final = "disagreement"


@dataclass(frozen=True, slots=True)
class CapturedTask:
    """What a task said: its best label and the calibrated probability of it."""

    task: str
    label: str
    confidence: float


@dataclass(frozen=True, slots=True)
class CapturedRow:
    """One captured answer: the columns of the files, in their order.

    Attributes:
        prediction_id: of the answer, signed.
        prediction_key: names the prediction in feedback too.
        predicted_at: when it was given, in UTC.
        variant: that answered.
        digest: of the variant, 64 hexadecimal digits.
        modalities: `both`, `text` or `image`.
        unit: keyed hash of the unit key, as in the receipt; None without one.
        reasons: why it was drawn: `uniform`, `low_confidence`, `disagreement`; at least one.
        sampling_weight: see the module; 1 or more.
        label: the best label, of the first task.
        confidence: its calibrated probability.
        scores: of all labels of the first task, in the order of the manifest, calibrated; empty
            where labels came with the request.
        shadow_agreed: whether all shadows gave the same label; None where none was asked.
        image_features: float16; None without an image.
        text_features: float16; None without a text.
        image_bytes: size of the image file.
        image_width_px, image_height_px: of the image; 0 where its header does not tell.
        image_format: `jpeg`, `png`, ...
        text_chars: length of the text.
        text_script: of most of its letters.
        text_familiarity: bits, by the variant's reference; None where it has none.
        image: the image file; None unless inputs are captured.
        text: the text; the same.
        other_tasks: what the other tasks said; empty where the variant names none. Parts of
            releases before it have no such column.
    """

    prediction_id: str
    prediction_key: str
    predicted_at: datetime
    variant: str
    digest: str
    modalities: str
    unit: str | None
    reasons: tuple[str, ...]
    sampling_weight: float
    label: str
    confidence: float
    scores: tuple[float, ...]
    shadow_agreed: bool | None
    image_features: Floats | None
    text_features: Floats | None
    image_bytes: int | None
    image_width_px: int | None
    image_height_px: int | None
    image_format: str | None
    text_chars: int | None
    text_script: str | None
    text_familiarity: float | None
    image: bytes | None
    text: str | None
    other_tasks: tuple[CapturedTask, ...] = ()


def arrow_schema() -> Any:  # noqa: ANN401 - pyarrow has no types
    """Returns the schema of the files; loads pyarrow, which only who captures or reads needs."""
    import pyarrow as pa

    features = pa.list_(pa.float16())
    task = pa.struct(
        [
            pa.field("task", pa.string(), nullable=False),
            pa.field("label", pa.string(), nullable=False),
            pa.field("confidence", pa.float32(), nullable=False),
        ]
    )
    return pa.schema(
        [
            pa.field("prediction_id", pa.string(), nullable=False),
            pa.field("prediction_key", pa.string(), nullable=False),
            pa.field("predicted_at", pa.timestamp("ms", tz="UTC"), nullable=False),
            pa.field("variant", pa.string(), nullable=False),
            pa.field("digest", pa.string(), nullable=False),
            pa.field("modalities", pa.string(), nullable=False),
            pa.field("unit", pa.string()),
            pa.field("reasons", pa.list_(pa.string()), nullable=False),
            pa.field("sampling_weight", pa.float64(), nullable=False),
            pa.field("label", pa.string(), nullable=False),
            pa.field("confidence", pa.float32(), nullable=False),
            pa.field("scores", pa.list_(pa.float32()), nullable=False),
            pa.field("shadow_agreed", pa.bool_()),
            pa.field("image_features", features),
            pa.field("text_features", features),
            pa.field("image_bytes", pa.int64()),
            pa.field("image_width_px", pa.int32()),
            pa.field("image_height_px", pa.int32()),
            pa.field("image_format", pa.string()),
            pa.field("text_chars", pa.int32()),
            pa.field("text_script", pa.string()),
            pa.field("text_familiarity", pa.float32()),
            pa.field("image", pa.binary()),
            pa.field("text", pa.string()),
            pa.field(OTHER_TASKS, pa.list_(task)),
        ],
        metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()},
    )
