"""Reads what a gateway captured, for the report: answers that were drawn evenly, in their order.

Rows that were only drawn for their low confidence or for a shadow's disagreement are left out: a
window is compared with a plain sample, and these are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from exporters.errors import CaptureError
from gateway.contract.capture import (
    OTHER_TASKS,
    SCHEMA_VERSION,
    UNIFORM,
    VERSION_KEY,
    arrow_schema,
)
from gateway.contract.drift.properties import ImageProperties, TextProperties
from gateway.contract.drift.window import WatchedItem
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from gateway.contract.drift.window import DriftTests

_COLUMNS: Final = (
    "predicted_at", "modalities", "reasons", "label", "confidence", "scores", "image_features",
    "text_features", "image_bytes", "image_width_px", "image_height_px", "image_format",
    "text_chars", "text_script", "text_familiarity", OTHER_TASKS,
)  # fmt: skip


@dataclass(frozen=True)
class CapturedItems:
    """The answers of one modality set, oldest first."""

    modalities: ModalitySet
    times: list[datetime]
    items: list[WatchedItem]

    def __len__(self) -> int:
        return len(self.items)


def captured_dataset(folder: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Opens all parts of a capture; columns that older parts have not are null.

    Raises:
        CaptureError: there is no capture, or none of a form that is known.
    """
    parts = [str(part) for part in sorted(folder.glob("day=*/part-*.parquet"))]
    if not parts:
        raise CaptureError(folder, "it holds no captured parts")
    version = (pq.read_schema(parts[0]).metadata or {}).get(VERSION_KEY, b"").decode()
    if version != str(SCHEMA_VERSION):
        raise CaptureError(folder, f"its parts are of version '{version}', not {SCHEMA_VERSION}")
    return ds.dataset(parts, format="parquet", schema=arrow_schema())


def read_captured(
    folder: Path, digest: str, since: datetime | None, tests: DriftTests, first_task: str
) -> dict[ModalitySet, CapturedItems]:
    """Reads the evenly drawn answers of one digest of a variant.

    Args:
        folder: of the capture.
        digest: of the variant, whole.
        since: answers before are left out; None: none are.
        tests: of the variant.
        first_task: its name, as in the variant's reference.

    Raises:
        CaptureError: there is no capture, or none of a form that is known.
    """
    dataset = captured_dataset(folder)
    wanted = pc.field("digest") == digest
    if since is not None:
        moment = pa.scalar(since, pa.timestamp("ms", tz="UTC"))
        wanted = wanted & (pc.field("predicted_at") >= moment)
    rows = dataset.to_table(columns=list(_COLUMNS), filter=wanted).sort_by("predicted_at")
    found: dict[ModalitySet, CapturedItems] = {}
    for row in rows.to_pylist():
        if UNIFORM not in row["reasons"]:
            continue
        modalities = ModalitySet(row["modalities"])
        group = found.setdefault(modalities, CapturedItems(modalities, [], []))
        group.times.append(row["predicted_at"])
        group.items.append(_item(row, tests, first_task))
    return found


def image_file_of(row: Mapping[str, Any]) -> ImageProperties | None:
    """Returns what a captured row says of its image from outside."""
    if row["image_bytes"] is None:
        return None
    return ImageProperties(
        row["image_bytes"], row["image_width_px"], row["image_height_px"], row["image_format"]
    )


def text_shape_of(row: Mapping[str, Any]) -> TextProperties | None:
    """Returns what a captured row says of its text from outside."""
    if row["text_chars"] is None:
        return None
    return TextProperties(row["text_chars"], row["text_script"])


def _item(row: dict[str, Any], tests: DriftTests, first_task: str) -> WatchedItem:
    image, text = row["image_features"], row["text_features"]
    answers = {first_task: (row["label"], row["confidence"])} if row["scores"] else {}
    for each in row[OTHER_TASKS] or ():
        answers[each["task"]] = each["label"], each["confidence"]
    return WatchedItem(
        image=None if image is None else tests.image_coordinates(np.array(image, np.float32)),
        text=None if text is None else tests.text_coordinates(np.array(text, np.float32)),
        answers=answers,
        image_file=image_file_of(row),
        text_shape=text_shape_of(row),
        familiarity=row["text_familiarity"],
    )
