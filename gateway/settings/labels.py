"""The settings of labels of requests' own; `environment` reads them."""

from __future__ import annotations

from pydantic import BaseModel, Field


class LabelSettings(BaseModel):
    """Labels that requests bring along, and sets of them that are registered."""

    max_labels: int = Field(
        256, ge=2, le=4096, description="Most labels of one request or of one label set."
    )
    max_label_chars: int = Field(
        200,
        ge=1,
        le=4096,
        description="Longest label, and longest prompt template, in Unicode characters.",
    )
    max_prompt_templates: int = Field(
        8, ge=1, le=64, description="Most prompt templates of one request or of one label set."
    )
    max_label_sets: int = Field(100, ge=1, description="Most label sets that are registered.")
    label_cache_bytes: int = Field(
        32 * 1024 * 1024,
        ge=1024 * 1024,
        description="Memory for embeddings of labels, in bytes; one takes about 3 KB.",
    )
