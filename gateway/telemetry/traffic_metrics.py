"""The metrics of experiments and shadows; `metrics.Metrics` owns them, on the same registry.

Labels are bounded by what admins define: names of experiments, shadows and variants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from gateway.telemetry.arm_figures import Distribution, read_counter, read_histogram
from gateway.telemetry.shown_gauge import ShownGauge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

_SECONDS: Final = (
    0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.75, 1.0, 2.5, 5.0,
)  # fmt: skip
_DISTANCES: Final = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)

Arm = tuple[str, str]
"""Experiment and variant."""


class TrafficMetrics:
    """The metrics and the few ways to move them.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "diptych_gateway_experiment_answers_total",
            "Classifications of an experiment by the arm that answered, why that arm, and the "
            "outcome: `ok`, `input_fault`, or the error's code.",
            ("experiment", "arm", "reason", "outcome"),
            registry=registry,
        )
        self._answer_s = Histogram(
            "diptych_gateway_experiment_answer_seconds",
            "Time from a request's arrival to its answer, of an experiment's good answers.",
            ("experiment", "arm"),
            buckets=_SECONDS,
            registry=registry,
        )
        gated = Gauge(
            "diptych_gateway_experiment_gated_arm_info",
            "1 for each arm that gets no traffic because its variant may not serve, with the "
            "reason; its share goes to the control.",
            ("experiment", "arm", "reason"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._source_up = Gauge(
            "diptych_gateway_traffic_source_up",
            "1 when the last look at a source of experiments succeeded, else 0: what it said "
            "before stays in force. `source` is `file` or `store`.",
            ("source",),
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._gated = ShownGauge(gated)
        self._children: dict[tuple[str, ...], Counter] = {}
        self._histograms: dict[Arm, Histogram] = {}

    def observe_arm(self, arm: Arm, reason: str, outcome: str, seconds: float | None) -> None:
        """Counts one classification of an experiment.

        Args:
            arm: that answered.
            reason: why it.
            outcome: `ok` or what went wrong.
            seconds: from arrival to answer, or None without a good answer.
        """
        key = (*arm, reason, outcome)
        if (counter := self._children.get(key)) is None:
            counter = self._children[key] = self._answers.labels(*key)
        counter.inc()
        if seconds is not None:
            if (histogram := self._histograms.get(arm)) is None:
                histogram = self._histograms[arm] = self._answer_s.labels(*arm)
            histogram.observe(seconds)

    def arm_answers(self) -> dict[Arm, dict[str, int]]:
        """Returns how many classifications each arm answered, by outcome, since the start."""
        answers: dict[Arm, dict[str, int]] = {}
        for (experiment, arm, _, outcome), count in read_counter(self._answers).items():
            outcomes = answers.setdefault((experiment, arm), {})
            outcomes[outcome] = outcomes.get(outcome, 0) + int(count)
        return answers

    def arm_seconds(self) -> dict[Arm, Distribution]:
        """Returns the times of each arm's good answers since the start."""
        seconds = read_histogram(self._answer_s).items()
        return {(experiment, arm): times for (experiment, arm), times in seconds}

    def set_gated(self, gates: Mapping[Arm, str]) -> None:
        """Shows all arms that get no traffic."""
        self._gated.show({(*arm, reason): 1 for arm, reason in gates.items()})

    def set_source_up(self, source: str, is_up: bool) -> None:
        """Says whether the last look at a source succeeded."""
        self._source_up.labels(source).set(1 if is_up else 0)
