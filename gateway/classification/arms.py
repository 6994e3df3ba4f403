"""Counts what came of each arm: in the process's metrics, and in tallies that replicas share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.routing.router import Decision
    from gateway.tallies.recorder import TallyRecorder
    from gateway.telemetry.traffic_metrics import TrafficMetrics


class ArmObserver:
    """Both places.

    Args:
        metrics: of this process.
        tallies: of this process, too, but written to the database where there is one.
    """

    def __init__(self, metrics: TrafficMetrics, tallies: TallyRecorder) -> None:
        self._metrics = metrics
        self._tallies = tallies

    def observe(self, decision: Decision, outcome: str, seconds: float | None) -> None:
        """Counts one classification; nothing outside of experiments.

        Args:
            decision: which variant was asked, and why.
            outcome: `ok`, `input_fault`, `cancelled`, or the error's code.
            seconds: from arrival to answer, or None without a good answer.
        """
        if decision.draw is None:
            return
        variant = decision.variant.name
        arm = decision.draw.experiment, variant
        self._metrics.observe_arm(arm, decision.reason, outcome, seconds)
        self._tallies.observe(decision.draw, variant, outcome, seconds)
