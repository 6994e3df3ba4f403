"""Counts each answered request, ends its span, and writes its line.

Lines of all failures, and of a sample of the successes.

Whether a success is written depends on its request id alone, so that the lines of one request are
written by every replica and every service that decides alike, or by none (consistent sampling, as
the W3C Trace Context, level 2, has it for traces).
"""

from __future__ import annotations

import logging
import time
import zlib
from typing import TYPE_CHECKING, Final

from gateway.api.request_span import QUIET_ROUTES, end_span
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from gateway.api.observation import Observation
    from gateway.telemetry.metrics import Metrics
    from gateway.telemetry.tracing.span import Tracer

_LOG: Final = logging.getLogger("gateway.access")
_HASHES: Final = 2**32


class AccessLog:
    """Where every request ends, over REST and gRPC.

    Args:
        metrics: where requests are counted; those who end requests count faults there too.
        success_ratio: share of the successes that is written, from 0 to 1.
        tracer: those who begin requests begin their spans with it.
    """

    def __init__(self, metrics: Metrics, success_ratio: float, tracer: Tracer) -> None:
        self.metrics = metrics
        self.tracer = tracer
        self._success_ratio = success_ratio

    def finish(self, observation: Observation, code: str) -> None:
        """Counts an answered request, ends its span, and writes its line.

        Args:
            observation: what was noted of it.
            code: HTTP or gRPC status.
        """
        spent_s = time.perf_counter() - observation.arrived_s
        self.metrics.observe_request(
            observation.route, observation.variant, observation.modalities, code, spent_s
        )
        end_span(observation, code)
        level = logging.INFO
        if observation.is_refused or observation.route in QUIET_ROUTES:
            level = logging.DEBUG
        if observation.error is not None:
            level = logging.ERROR
        if not _LOG.isEnabledFor(level):
            return
        sample: dict[str, object] = {}
        if level == logging.INFO and observation.error_code is None and _is_success(code):
            if zlib.crc32(observation.request_id.encode()) >= self._success_ratio * _HASHES:
                return
            sample = {"sample_ratio": self._success_ratio}
        trace_id = observation.span.trace_id
        log_event(
            _LOG,
            level,
            "request",
            error=observation.error,
            request_id=observation.request_id,
            **({} if trace_id is None else {"trace_id": trace_id}),
            method=observation.method,
            route=observation.route,
            key_id=observation.key_id,
            code=code,
            error_code=observation.error_code,
            # Triton's own words, which the caller does not get.
            reason=getattr(observation.error, "reason", None),
            variant=observation.variant,
            modalities=observation.modalities,
            duration_ms=round(spent_s * 1000, 2),
            **sample,
        )


def _is_success(code: str) -> bool:
    return code == "OK" or code.startswith(("2", "3"))
