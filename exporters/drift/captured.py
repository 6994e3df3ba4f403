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

from exporters.errors import CaptureError
from gateway.contract.capture import SCHEMA_VERSION, UNIFORM, VERSION_KEY
from gateway.contract.drift.properties import ImageProperties, TextProperties
from gateway.contract.drift.window import WatchedItem
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gateway.contract.drift.window import DriftTests

_COLUMNS: Final = (
    "predicted_at", "modalities", "reasons", "label", "confidence", "scores", "image_features",
    "text_features", "image_bytes", "image_width_px", "image_height_px", "image_format",
    "text_chars", "text_script", "text_familiarity",
)  # fmt: skip


@dataclass(frozen=True)
class CapturedItems:
    """The answers of one modality set, oldest first."""

    modalities: ModalitySet
    times: list[datetime]
    items: list[WatchedItem]

    def __len__(self) -> int:
        return len(self.items)


def read_captured(
    folder: Path, digest: str, since: datetime | None, tests: DriftTests
) -> dict[ModalitySet, CapturedItems]:
    """Reads the evenly drawn answers of one digest of a variant.

    Args:
        folder: of the capture.
        digest: of the variant, whole.
        since: answers before are left out; None: none are.
        tests: of the variant.

    Raises:
        CaptureError: there is no capture, or none of a form that is known.
    """
    parts = sorted(folder.glob("day=*/part-*.parquet"))
    if not parts:
        raise CaptureError(folder, "it holds no captured parts")
    dataset = ds.dataset([str(part) for part in parts], format="parquet")
    version = (dataset.schema.metadata or {}).get(VERSION_KEY, b"").decode()
    if version != str(SCHEMA_VERSION):
        raise CaptureError(folder, f"its parts are of version '{version}', not {SCHEMA_VERSION}")
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
        group.items.append(_item(row, tests))
    return found


def _item(row: dict[str, Any], tests: DriftTests) -> WatchedItem:
    image, text = row["image_features"], row["text_features"]
    has_answer = bool(row["scores"])
    return WatchedItem(
        image=None if image is None else tests.image_coordinates(np.array(image, np.float32)),
        text=None if text is None else tests.text_coordinates(np.array(text, np.float32)),
        label=row["label"] if has_answer else None,
        confidence=row["confidence"] if has_answer else None,
        image_file=None
        if row["image_bytes"] is None
        else ImageProperties(
            row["image_bytes"], row["image_width_px"], row["image_height_px"], row["image_format"]
        ),
        text_shape=None
        if row["text_chars"] is None
        else TextProperties(row["text_chars"], row["text_script"]),
        familiarity=row["text_familiarity"],
    )
