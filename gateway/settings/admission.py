"""The settings of time and concurrency; `environment` reads them."""

from __future__ import annotations

from pydantic import BaseModel, Field

from gateway.settings.kinds import Ratio


class AdmissionSettings(BaseModel):
    """How long answers may take, how many requests are in flight, and what overload may change."""

    request_budget_ms: float = Field(
        500.0,
        gt=0,
        le=600_000,
        description="Longest time from the first byte of a request to its answer, in milliseconds; "
        "callers may ask for less with `Diptych-Deadline-Ms`.",
    )
    batch_budget_ms: float = Field(
        10_000.0,
        gt=0,
        le=600_000,
        description="The same for a whole `/v1/classify:batch` request, in milliseconds.",
    )
    max_concurrency: int = Field(
        4096,
        ge=1,
        description="Bound of the adaptive limit of classifications in flight, REST and gRPC "
        "together.",
    )
    max_stream_concurrency: int = Field(
        16, ge=1, description="Most messages of one gRPC stream in flight; further ones wait."
    )
    brown_out_max_calibration_error: Ratio | None = Field(
        None,
        description="When set, a request with both inputs whose caller allows it may be answered "
        "from one under overload, where the variant's report gives that input an expected "
        "calibration error of at most this.",
    )
    brown_out_max_accuracy_loss: Ratio = Field(
        0.05,
        description="Most that the accuracy of that input may be below that of both, 0 to 1.",
    )
