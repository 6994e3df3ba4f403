"""Sets up the OpenTelemetry SDK of one process as the standard `OTEL_*` variables say.

The SDK reads most of them itself (sampler, limits, batches, endpoint); which exporter it is and
what the process is called is decided here. Loaded only when tracing is on.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from gateway.start_errors import TracingError
from gateway.telemetry.tracing.opentelemetry_tracer import OpenTelemetryTracer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from gateway.telemetry.trace_metrics import TraceMetrics
    from gateway.worker_place import WorkerPlace

_GROUP: Final = "opentelemetry_traces_exporter"
_OTLP: Final = "otlp"
_OTLP_BY_PROTOCOL: Final = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}
_NONE: Final = "none"
_FLUSH_S: Final = 3.0
_SERVICE_NAME: Final = "diptych-gateway"


class Export:
    """The provider of a process and its end.

    Args:
        provider: of the spans.
        exporters: that it sends to.
    """

    def __init__(self, provider: TracerProvider, exporters: Sequence[SpanExporter]) -> None:
        self._provider = provider
        self._exporters = exporters

    async def close(self) -> None:
        """Sends what is not sent yet; for three seconds, then it is given up.

        In a thread of its own that nobody waits for afterwards: the SDK would try for up to 30 s to
        reach a collector that does not answer.
        """
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            self._provider.shutdown()
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=flush, name="trace-flush", daemon=True).start()
        try:
            async with asyncio.timeout(_FLUSH_S):
                await done.wait()
        except TimeoutError:
            for each in self._exporters:
                each.shutdown()  # ends its waiting between two tries


class _CountedExporter(SpanExporter):
    """Passes spans on, and counts what came of them."""

    def __init__(self, exporter: SpanExporter, metrics: TraceMetrics) -> None:
        self._exporter = exporter
        self._metrics = metrics
        self._is_shut = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._metrics.count(len(spans), is_sent=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        if not self._is_shut:  # by the provider, or before it when that takes too long
            self._is_shut = True
            self._exporter.shutdown()


def make_tracer(
    environ: Mapping[str, str], place: WorkerPlace | None, metrics: TraceMetrics
) -> OpenTelemetryTracer:
    """Makes the tracer of this process.

    Args:
        environ: the process's environment.
        place: of this process among the workers of a pod; None: it is alone.
        metrics: sent and lost spans are counted there.

    Raises:
        TracingError: a variable names an exporter that is not installed, or cannot be read.
    """
    _quieten()
    try:
        exporters = [_CountedExporter(each(), metrics) for each in _exporter_types(environ)]
        provider = TracerProvider(resource=_resource(place), shutdown_on_exit=False)
        for exporter in exporters:
            provider.add_span_processor(BatchSpanProcessor(exporter))
    except ValueError as error:
        raise TracingError(
            f"The OTEL_* variables cannot be used: {error}. Correct them, or unset "
            "DIPTYCH_GATEWAY_HAS_TRACING."
        ) from error
    tracer = provider.get_tracer("gateway", version("diptych"))
    return OpenTelemetryTracer(tracer, Export(provider, exporters))


def _exporter_types(environ: Mapping[str, str]) -> list[type[SpanExporter]]:
    found = []
    known = {each.name: each for each in entry_points(group=_GROUP)}
    for part in (environ.get("OTEL_TRACES_EXPORTER") or _OTLP).split(","):
        name = part.strip()
        if name == _NONE:
            continue
        if name == _OTLP:
            name = _otlp_name(environ)
        if name not in known:
            raise TracingError(
                f"OTEL_TRACES_EXPORTER asks for {name}, which is not installed. There are: "
                f"{', '.join(sorted({_OTLP, _NONE, *known}))}; others come with packages of the "
                "OpenTelemetry project."
            )
        exporter: type[SpanExporter] = known[name].load()
        found.append(exporter)
    return found


def _otlp_name(environ: Mapping[str, str]) -> str:
    protocol = (
        environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "grpc"
    ).strip()
    try:
        return _OTLP_BY_PROTOCOL[protocol]
    except KeyError:
        raise TracingError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; write one of "
            f"{', '.join(_OTLP_BY_PROTOCOL)}."
        ) from None


def _resource(place: WorkerPlace | None) -> Resource:
    own: dict[str, str | int] = {
        "service.name": _SERVICE_NAME,
        "service.version": version("diptych"),
        "service.instance.id": str(uuid.uuid4()),
    }
    if place is not None:
        own["diptych.worker"] = place.index
    # What the operator says wins.
    return Resource.create().merge(Resource(own)).merge(OTELResourceDetector().detect())


def _quieten() -> None:
    """Keeps the log to what an operator can act on.

    The library would write a line for each header of a caller that it cannot read, with an excerpt,
    and one for each try to reach a collector; that a batch was lost is an error, and stays.
    """
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    logging.getLogger("opentelemetry.sdk").setLevel(logging.WARNING)
