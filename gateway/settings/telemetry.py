"""The settings of logs and traces; `environment` reads them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class TelemetrySettings(BaseModel):
    """What the log shows, and whether requests are traced."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log event that is written."
    )
    access_log_success_ratio: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the requests that went well that the log shows; of the others it "
        "shows all but refusals, which are most under overload.",
    )
    has_tracing: bool = Field(
        False,
        description="Whether requests are traced with OpenTelemetry, which the extra `tracing` "
        "brings; what is sampled and where it goes, the standard `OTEL_*` variables say.",
    )
