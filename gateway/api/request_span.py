"""The span of a request: begun where it enters, ended with its line in the log.

`edge` and `grpc_service` begin it, `access_log` ends it. A path is not written into it, nor a
query: callers put things there that are nobody's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.telemetry.metrics import NONE
from gateway.telemetry.tracing import names
from gateway.telemetry.tracing.span import NULL_SPAN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.api.observation import Observation
    from gateway.telemetry.tracing.span import ServerSpan, Tracer

GRPC: Final = "GRPC"
"""`Observation.method` of a gRPC call."""
UNMATCHED: Final = "unmatched"
"""`Observation.route` of a request that no route takes."""
QUIET_ROUTES: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds, by machines: not worth a line or a span."""

_METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
_OTHER: Final = "_OTHER"
# Of a server, as the conventions for gRPC have it; the others say that the caller is at fault.
_FAILURES: Final = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


def begin_http_span(
    tracer: Tracer, observation: Observation, path: str, scheme: str, headers: Mapping[str, str]
) -> ServerSpan:
    """Begins the span of a REST request, within its caller's where the headers say so."""
    if path in QUIET_ROUTES:
        return NULL_SPAN
    method = _http_method(observation)
    attributes = {names.HTTP_METHOD: method, names.URL_SCHEME: scheme}
    return tracer.begin(method, headers, observation.arrived_s, attributes)


def begin_grpc_span(
    tracer: Tracer, observation: Observation, metadata: Mapping[str, str]
) -> ServerSpan:
    """Begins the span of a gRPC call or of a message, within its caller's."""
    attributes = {names.RPC_SYSTEM: "grpc", names.RPC_METHOD: observation.route}
    return tracer.begin(observation.route, metadata, observation.arrived_s, attributes)


def end_span(observation: Observation, code: str) -> None:
    """Ends the span of a request.

    Args:
        observation: what was noted of it.
        code: HTTP or gRPC status.
    """
    span = observation.span
    if span is NULL_SPAN:
        return
    span.note(
        {
            names.REQUEST_ID: observation.request_id,
            names.VARIANT: _known(observation.variant),
            names.MODALITIES: _known(observation.modalities),
            names.ERROR_TYPE: observation.error_code,
        }
    )
    if observation.method == GRPC:
        span.note({names.RPC_STATUS: code})
        span.end(observation.route, is_failure=code in _FAILURES)
        return
    name = method = _http_method(observation)
    span.note({names.HTTP_STATUS: int(code)})
    if observation.route != UNMATCHED:
        span.note({names.HTTP_ROUTE: observation.route})
        name = f"{method} {observation.route}"
    span.end(name, is_failure=code.startswith("5"))


def _http_method(observation: Observation) -> str:
    return observation.method if observation.method in _METHODS else _OTHER


def _known(value: str) -> str | None:
    return None if value == NONE else value
