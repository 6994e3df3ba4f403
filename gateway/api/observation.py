"""What is noted of one request while it passes, for its metrics and its line in the log.

`access_log` counts and writes it in the end.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from typing import Final

from gateway.api.problems import Problem, to_problem
from gateway.errors import (
    AccessError,
    AdmissionRefusedError,
    BackendError,
    GatewayError,
    RequestError,
)
from gateway.telemetry.metrics import NONE, Metrics
from gateway.telemetry.tracing.span import NULL_SPAN, ServerSpan

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~:-]{1,128}")
_REQUEST_ID_BYTES: Final = 16
SEVERAL: Final = "several"
"""Label value of a request whose items differ in variant or modality set."""


def request_id_from(header: str | None) -> str:
    """Returns the id that the caller sent when it is well formed, else a new one."""
    if header is not None and _REQUEST_ID.fullmatch(header):
        return header
    return os.urandom(_REQUEST_ID_BYTES).hex()


@dataclass(slots=True)
class Observation:
    """One request; filled in by whoever learns something.

    Attributes:
        request_id: the caller's or ours.
        method: HTTP method, or `GRPC`.
        route: template of the route; bounded.
        variant: name of the variant; only names that the catalog knows.
        modalities: modality set of the request.
        key_id: name of the caller's API key, once it is known.
        error_code: code of the error that was answered, or None.
        error: an exception that operators must see, or None.
        is_refused: whether admission refused it; under overload these are most, and the log would
            cost more than the refusal: they are counted, and logged at DEBUG.
        arrived_s: when the request began to arrive, by `time.perf_counter`.
        span: its span, while tracing is on.
    """

    request_id: str
    method: str
    route: str
    variant: str = NONE
    modalities: str = NONE
    key_id: str | None = None
    error_code: str | None = None
    error: BaseException | None = None
    is_refused: bool = False
    arrived_s: float = field(default_factory=time.perf_counter)
    span: ServerSpan = NULL_SPAN

    def note_item(self, variant: str | None, modalities: str | None) -> None:
        """Notes the variant and modality set of one of possibly several items."""
        if variant is not None:
            self.variant = variant if self.variant in {NONE, variant} else SEVERAL
        if modalities is not None:
            self.modalities = modalities if self.modalities in {NONE, modalities} else SEVERAL

    def note_error(self, error: Exception, metrics: Metrics) -> Problem:
        """Notes what went wrong, and translates it for the caller."""
        problem = to_problem(error, self.request_id)
        self.error_code = problem.code
        self.is_refused = isinstance(error, AdmissionRefusedError)
        if isinstance(error, RequestError):
            metrics.count_input_fault(error.code)
        if isinstance(error, AccessError):
            metrics.count_access_refusal(error.code)
        if isinstance(error, BackendError) or not isinstance(error, GatewayError):
            self.error = error
        return problem
