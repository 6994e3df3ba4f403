"""Captured rows for tests."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import numpy as np

from gateway.contract.capture import CapturedRow

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_row(number: int = 0, **changes: Any) -> CapturedRow:  # noqa: ANN401 - any column
    row = CapturedRow(
        prediction_id=f"pred_{number}",
        prediction_key=f"{number:032x}",
        predicted_at=NOON,
        variant="demo",
        digest="a" * 64,
        modalities="both",
        unit=None,
        reasons=("uniform",),
        sampling_weight=20.0,
        label="food",
        confidence=0.75,
        scores=(0.75, 0.25),
        shadow_agreed=None,
        image_features=np.array([1.0, -2.5, 1e9], np.float32),
        text_features=np.array([0.5, 0.25], np.float32),
        image_bytes=100,
        image_width_px=10,
        image_height_px=20,
        image_format="png",
        text_chars=5,
        text_script="latin",
        text_familiarity=-8.0,
        image=None,
        text=None,
    )
    return dataclasses.replace(row, **changes)
