"""The settings of feedback; `environment` reads them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class FeedbackSettings(BaseModel):
    """Receipts, the feedback that comes for them, and figures of quality from it."""

    receipt_keys_file: Path | None = Field(
        None,
        description="File of the keys that sign prediction ids, read again when it changes; unset: "
        "keys that end with the process, for one replica.",
    )
    feedback_max_age_days: int = Field(
        30, ge=1, le=3650, description="Oldest prediction that feedback is taken for, in days."
    )
    max_feedback_items: int = Field(
        256, ge=1, le=4096, description="Most items of one `/v1/feedback:batch` request."
    )
    max_feedback_waiting: int = Field(
        4096,
        ge=1,
        description="Most labels that wait for the database at a time; further ones are refused.",
    )
    feedback_figures_days: float = Field(
        7.0,
        gt=0,
        le=3650,
        description="How far back predictions count in the metrics of quality, in days.",
    )
    feedback_figures_refresh_s: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="Time between two computations of these metrics, in seconds.",
    )
