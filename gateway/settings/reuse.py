"""The settings of equal requests; `environment` reads them."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ReuseSettings(BaseModel):
    """When one computation answers several requests."""

    has_coalescing: bool = Field(
        True, description="Whether equal requests in flight are answered by one computation."
    )
    answer_cache_bytes: int = Field(
        0,
        ge=0,
        description="Memory for answers that are given again to equal requests, in bytes; 0: none "
        "are kept.",
    )
    answer_cache_ttl_s: float = Field(
        300.0, gt=0, description="Longest time that an answer is kept, in seconds."
    )
    has_shared_answers: bool = Field(
        False,
        description="Whether an answer computed for one caller may be given to another; how soon "
        "it comes then tells that somebody asked the same.",
    )
