"""Chooses the tracer of the process; OpenTelemetry is loaded only when it is to be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.start_errors import TracingError
from gateway.telemetry.tracing.span import NullTracer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.telemetry.trace_metrics import TraceMetrics
    from gateway.telemetry.tracing.span import Tracer
    from gateway.worker_place import WorkerPlace


def start_tracing(
    environ: Mapping[str, str],
    place: WorkerPlace | None,
    metrics: TraceMetrics,
    *,
    is_on: bool,
) -> Tracer:
    """Returns the tracer of this process. See `exporting.make_tracer`.

    Raises:
        TracingError: tracing is on, and a package is missing or a variable cannot be used.
    """
    if not is_on:
        return NullTracer()
    try:
        from gateway.telemetry.tracing.exporting import make_tracer
    except ModuleNotFoundError as error:
        raise TracingError(
            f"DIPTYCH_GATEWAY_HAS_TRACING is on, and the package {error.name} is missing: "
            "`pip install 'diptych[gateway,tracing]'`, or unset it."
        ) from error
    return make_tracer(environ, place, metrics)
