"""The settings of drift and capture; `environment` reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, field_validator

from gateway.settings.kinds import Ratio

_LEAST_WINDOW_ITEMS: Final = 100


class WatchingSettings(BaseModel):
    """Drift of live traffic, and what is captured of it for retraining."""

    drift_window_items: int = Field(
        500,
        ge=0,
        le=10_000,
        description="Most answers of a window that drift is judged by, each process for itself; "
        "0: drift is not watched.",
    )
    drift_window_s: float = Field(
        600.0,
        gt=0,
        le=86_400,
        description="Length of such a window, in seconds; one with less than 100 answers goes on.",
    )
    capture_folder: Path | None = Field(
        None,
        description="Folder that features of drawn answers are kept in, for retraining; unset: "
        "nothing is kept.",
    )
    capture_ratio: Ratio = Field(
        0.05, description="Share of all answers that are captured, 0 to 1."
    )
    capture_low_confidence_ratio: Ratio = Field(
        0.2, description="Share of the answers of low confidence that are captured, 0 to 1."
    )
    capture_low_confidence_below: Ratio = Field(
        0.5, description="Confidence below which an answer is one of low confidence."
    )
    capture_disagreement_ratio: Ratio = Field(
        1.0,
        description="Share of the answers to which a shadow gave another label that are captured.",
    )
    capture_max_bytes: int = Field(
        1024 * 1024 * 1024,
        ge=1024 * 1024,
        description="Largest size of the folder, in bytes; the oldest day goes first.",
    )
    capture_max_days: int = Field(
        90, ge=1, le=3650, description="Age at which a captured day is removed, in days."
    )
    capture_flush_s: float = Field(
        60.0,
        gt=0,
        le=600,
        description="Longest time that captured rows are only in memory, in seconds: what a killed "
        "process loses.",
    )
    has_captured_inputs: bool = Field(
        False,
        description="Whether captured rows hold the images and texts themselves, not their "
        "features alone.",
    )

    @field_validator("drift_window_items")
    @classmethod
    def _is_judgeable(cls, items: int) -> int:
        if 0 < items < _LEAST_WINDOW_ITEMS:
            raise ValueError(f"must be 0, or {_LEAST_WINDOW_ITEMS} or more")
        return items
