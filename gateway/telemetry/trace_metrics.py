"""What became of the spans of this process; a part of `metrics.Metrics`, on the same registry."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class TraceMetrics:
    """The metric and the one way to move it.

    Args:
        registry: where it is registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._spans = Counter(
            "diptych_gateway_trace_spans_total",
            "Spans handed to the collector, by outcome: `sent`, or `lost` as it took none; zero "
            "while tracing is off.",
            ("outcome",),
            registry=registry,
        )

    def count(self, spans: int, *, is_sent: bool) -> None:
        """Counts the spans of one batch."""
        self._spans.labels("sent" if is_sent else "lost").inc(spans)
