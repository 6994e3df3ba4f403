"""The metrics of shadows; `metrics.Metrics` owns them, on the same registry.

Labels are bounded by what admins define: names of shadows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Histogram

from gateway.telemetry.arm_figures import Distribution, read_counter, read_histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0)
_DISTANCES: Final = (0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)


class ShadowMetrics:
    """The metrics and the few ways to move them.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "diptych_gateway_shadow_calls_total",
            "Requests that were drawn for a shadow, by what came of them: `agreed` or `differed` "
            "in the best label, `dropped_busy` (the service is near its limit), `dropped_full` "
            "(as many calls of the shadow run as may), or the error's code.",
            ("shadow", "outcome"),
            registry=registry,
        )
        self._distance = Histogram(
            "diptych_gateway_shadow_distance",
            "Total variation between the probabilities of the answer and of the candidate, 0 to 1.",
            ("shadow",),
            buckets=_DISTANCES,
            registry=registry,
        )
        self._seconds = Histogram(
            "diptych_gateway_shadow_seconds",
            "Triton's time for the same requests, by `side`: `answer` or `candidate`.",
            ("shadow", "side"),
            buckets=_SECONDS,
            registry=registry,
        )

    def count(self, shadow: str, outcome: str) -> None:
        """Counts one request that was drawn."""
        self._calls.labels(shadow, outcome).inc()

    def observe_distance(self, shadow: str, distance: float) -> None:
        """Adds a total variation, 0 to 1."""
        self._distance.labels(shadow).observe(distance)

    def observe_seconds(self, shadow: str, side: str, seconds: float) -> None:
        """Adds the time of one side."""
        self._seconds.labels(shadow, side).observe(seconds)

    def outcomes(self, shadow: str) -> dict[str, int]:
        """Returns what came of the requests of a shadow."""
        return {
            outcome: int(count)
            for (name, outcome), count in read_counter(self._calls).items()
            if name == shadow
        }

    def distance(self, shadow: str) -> Distribution | None:
        """Returns the total variations of a shadow, or None without any."""
        return read_histogram(self._distance).get((shadow,))

    def seconds(self, shadow: str, side: str) -> Distribution | None:
        """Returns the times of one side, or None without any."""
        return read_histogram(self._seconds).get((shadow, side))
