"""Spans by the OpenTelemetry SDK. Loaded only when tracing is on.

The SDK's own notion of a current span is not used: `span.CURRENT` is the only one.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.errors import (
    AccessError,
    AdmissionRefusedError,
    ClientDisconnectedError,
    GatewayError,
    RequestError,
)
from gateway.telemetry.tracing import names
from gateway.telemetry.tracing.span import CURRENT, NULL_SPAN, SpanKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token
    from types import TracebackType

    from gateway.telemetry.tracing.exporting import Export
    from gateway.telemetry.tracing.span import Headers, ServerSpan, Span, Value

_NS_PER_S: Final = 1e9
_KINDS: Final = {
    SpanKind.INTERNAL: otel.SpanKind.INTERNAL,
    SpanKind.CLIENT: otel.SpanKind.CLIENT,
}
_NO_CONTEXT: Final = Context()
_NOT_FAULTS: Final = (
    RequestError,
    AccessError,
    AdmissionRefusedError,
    ClientDisconnectedError,
    asyncio.CancelledError,
)
_PROPAGATOR: Final = TraceContextTextMapPropagator()
"""W3C Trace Context alone: what a caller puts into its baggage is nobody's business here."""


class OpenTelemetryTracer:
    """A `Tracer` over one provider of the SDK.

    Args:
        tracer: of the provider.
        export: takes the spans; is closed with this.
    """

    def __init__(self, tracer: otel.Tracer, export: Export) -> None:
        self._tracer = tracer
        self._export = export

    def begin(
        self,
        name: str,
        said: Mapping[str, str],
        began_s: float,
        attributes: Mapping[str, Value],
    ) -> ServerSpan:
        """Begins the span of a request. See `Tracer.begin`."""
        # From here on time is read from a clock that nobody sets.
        epoch_ns = time.time_ns() - time.perf_counter_ns()
        span = self._tracer.start_span(
            name,
            context=_PROPAGATOR.extract(said, _NO_CONTEXT),
            kind=otel.SpanKind.SERVER,
            attributes=_present(attributes),
            start_time=epoch_ns + int(began_s * _NS_PER_S),
        )
        if not span.is_recording():
            return _UnsampledSpan(span)
        return _RequestSpan(self._tracer, span, epoch_ns)

    async def close(self) -> None:
        """Sends what is not sent yet."""
        await self._export.close()


class _UnsampledSpan:
    """A request of which no more is recorded than the id of its trace, for the log.

    Nor does Triton hear of it: in its OpenTelemetry mode (2.51) it records every request that comes
    with a trace context, whatever its sampled flag says.
    """

    headers: Headers | None = None

    def __init__(self, span: otel.Span) -> None:
        self.trace_id = _trace_id(span)

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Does nothing."""

    def child(self, name: str, kind: SpanKind, attributes: Mapping[str, Value]) -> Span:
        """Returns what stands for no span."""
        return NULL_SPAN

    def end(self, name: str, *, is_failure: bool) -> None:
        """Does nothing."""

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


class _RecordedSpan:
    """A span that is recorded.

    Args:
        tracer: begins its children.
        span: of the SDK.
        epoch_ns: of the clock, in nanoseconds since the Unix epoch.
        is_client: whether it is a call to another service.
    """

    def __init__(
        self, tracer: otel.Tracer, span: otel.Span, epoch_ns: int, *, is_client: bool = False
    ) -> None:
        self._tracer = tracer
        self._span = span
        self._epoch_ns = epoch_ns
        self._is_client = is_client
        self._token: Token[Span] | None = None

    @property
    def trace_id(self) -> str | None:
        return _trace_id(self._span)

    @property
    def headers(self) -> Headers | None:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, otel.set_span_in_context(self._span, _NO_CONTEXT))
        return tuple(carrier.items())

    def note(self, attributes: Mapping[str, Value]) -> None:
        self._span.set_attributes(_present(attributes))

    def child(self, name: str, kind: SpanKind, attributes: Mapping[str, Value]) -> Span:
        span = self._tracer.start_span(
            name,
            context=otel.set_span_in_context(self._span, _NO_CONTEXT),
            kind=_KINDS[kind],
            attributes=_present(attributes),
            start_time=self._now_ns(),
        )
        is_client = kind is SpanKind.CLIENT
        return _RecordedSpan(self._tracer, span, self._epoch_ns, is_client=is_client)

    def __enter__(self) -> Span:
        self._token = CURRENT.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()
        if error is not None:
            self._span.set_attribute(names.ERROR_TYPE, _error_type(error))
            # The conventions count every status but OK against a client span.
            if self._is_client or not isinstance(error, _NOT_FAULTS):
                self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(self._now_ns())

    def _leave(self) -> None:
        if self._token is not None:
            CURRENT.reset(self._token)
            self._token = None

    def _now_ns(self) -> int:
        return self._epoch_ns + time.perf_counter_ns()


class _RequestSpan(_RecordedSpan):
    """The recorded span of a whole request."""

    def end(self, name: str, *, is_failure: bool) -> None:
        self._span.update_name(name)
        if is_failure:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(self._now_ns())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()


def _present(attributes: Mapping[str, Value]) -> dict[str, str | int | float | bool]:
    return {key: value for key, value in attributes.items() if value is not None}


def _trace_id(span: otel.Span) -> str | None:
    context = span.get_span_context()
    return otel.format_trace_id(context.trace_id) if context.is_valid else None


def _error_type(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):  # of a task group: the first says enough
        error = error.exceptions[0]
    if isinstance(error, GatewayError):
        return error.code
    return "cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__name__
