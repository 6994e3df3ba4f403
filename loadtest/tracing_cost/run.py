"""The spans of a request with one try, begun and ended as the gateway does, without the request."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry

from gateway.api.observation import Observation
from gateway.api.request_span import begin_http_span, end_span
from gateway.telemetry.trace_metrics import TraceMetrics
from gateway.telemetry.tracing import names
from gateway.telemetry.tracing.span import SpanKind, stage
from gateway.telemetry.tracing.start import start_tracing
from loadtest.bench.targets import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.telemetry.tracing.span import Tracer, Value

MAX_OFF_US: Final = 20.0
"""A hundredth of the CPU time that a request may cost the gateway."""
MAX_UNSAMPLED_US: Final = 40.0
_WARM_UP: Final = 200
_PATH: Final = "/v1/classify"
_HEADERS: Final = {"host": "gateway", "content-type": "application/json"}


class Mode(StrEnum):
    """What is traced."""

    OFF = "off"
    UNSAMPLED = "unsampled"
    SAMPLED = "sampled"


@dataclass(frozen=True)
class Cost:
    """CPU time of one request's spans, in microseconds.

    Attributes:
        mode: what was traced.
        own_us: of the thread that serves.
        sending_us: of the thread that sends to the collector.
    """

    mode: Mode
    own_us: float
    sending_us: float


def measure(requests: int, endpoint: str) -> list[Cost]:
    """Measures all modes, one after the other.

    Args:
        requests: in each.
        endpoint: of the collector.
    """
    return [asyncio.run(_measure(mode, requests, endpoint)) for mode in Mode]


def judge(costs: Sequence[Cost]) -> tuple[Verdict, ...]:
    """Holds what must be nearly free against the targets."""
    own_us = {each.mode: each.own_us for each in costs}
    limits = {Mode.OFF: MAX_OFF_US, Mode.UNSAMPLED: MAX_UNSAMPLED_US}
    return tuple(
        Verdict(f"CPU of the spans of a request, {mode}", own_us[mode], limit, False, "µs")
        for mode, limit in limits.items()
    )


async def _measure(mode: Mode, requests: int, endpoint: str) -> Cost:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    os.environ["OTEL_TRACES_SAMPLER"] = "always_on" if mode is Mode.SAMPLED else "always_off"
    # None is dropped: dropping is cheaper than sending.
    os.environ["OTEL_BSP_MAX_QUEUE_SIZE"] = str(10 * (requests + _WARM_UP))
    metrics = TraceMetrics(CollectorRegistry())
    tracer = start_tracing(os.environ, None, metrics, is_on=mode is not Mode.OFF)
    for _ in range(_WARM_UP):
        _request(tracer)
    all_s, own_s = time.process_time(), time.thread_time()
    for _ in range(requests):
        _request(tracer)
    own_s = time.thread_time() - own_s
    await tracer.close()
    all_s = time.process_time() - all_s
    return Cost(mode, 1e6 * own_s / requests, 1e6 * (all_s - own_s) / requests)


def _request(tracer: Tracer) -> None:
    observation = Observation("request", "POST", _PATH, "variant", "both")
    observation.span = begin_http_span(tracer, observation, _PATH, "http", _HEADERS)
    with observation.span:
        with stage(names.ADMISSION) as span:
            span.note({names.PRIORITY: "interactive", names.POOL: "gpu", names.DEGRADED: None})
        with stage(names.RECEIVE):
            pass
        with stage(names.CLASSIFY, {names.VARIANT: "variant", names.MODALITIES: "both"}) as span:
            with stage(names.TRITON), stage(names.INFER, _CALL, SpanKind.CLIENT) as call:
                _ = call.headers
                call.note({names.RPC_STATUS: "OK"})
            with stage(names.RESPOND):
                pass
            span.note({names.SOURCE: "computed", names.POOL: "gpu", names.DEGRADED: None})
    end_span(observation, "200")


_CALL: Final[dict[str, Value]] = {
    names.RPC_SYSTEM: "grpc",
    names.RPC_METHOD: names.INFER,
    names.SERVER_ADDRESS: "triton",
    names.SERVER_PORT: 8001,
    names.POOL: "gpu",
    names.DEGRADED: None,
    names.VARIANT: "variant",
    names.DIGEST: "0" * 64,
    names.ATTEMPT: 1,
    names.ATTEMPT_REASON: None,
}
