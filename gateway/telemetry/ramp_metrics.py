"""The metrics of ramps; `metrics.Metrics` owns them, on the same registry.

Labels are bounded by what admins define: names of experiments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from gateway.telemetry.shown_gauge import ShownGauge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prometheus_client import CollectorRegistry


class RampMetrics:
    """The metrics and the few ways to move them.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._share = ShownGauge(
            Gauge(
                "diptych_ramp_candidate_share_ratio",
                "Share of an experiment's units that its candidate has, of ramps under way.",
                ("experiment",),
                registry=registry,
                multiprocess_mode="livemax",
            )
        )
        self._status = ShownGauge(
            Gauge(
                "diptych_ramp_status_info",
                "1 for the status of each ramp under way: `running` or `paused`.",
                ("experiment", "status"),
                registry=registry,
                multiprocess_mode="livemax",
            )
        )
        self._leader = Gauge(
            "diptych_ramp_leader",
            "1 while this replica moves the ramps, else 0.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._looks = Counter(
            "diptych_ramp_looks_total",
            "Looks of this replica at what ramps need: `ok`, or the error's code; a ramp stands "
            "still while they fail.",
            ("outcome",),
            registry=registry,
        )
        self._decisions = Counter(
            "diptych_ramp_decisions_total",
            "What this replica decided as the leader: `advance`, `complete`, `pause`, `roll_back`.",
            ("experiment", "action"),
            registry=registry,
        )
        self._rolled_back = Counter(
            "diptych_experiment_rolled_back_total",
            "Ramps that this replica rolled back, by the guardrail breached first, such as "
            "`guardrail_failures`.",
            ("experiment", "reason"),
            registry=registry,
        )
        self._held_back = Counter(
            "diptych_ramp_held_back_total",
            "Candidates that this process took out of its own traffic while the database was away.",
            ("experiment",),
            registry=registry,
        )

    def show(self, shares: Mapping[str, float], statuses: Mapping[str, str]) -> None:
        """Shows all ramps that are under way, by experiment."""
        self._share.show({(name,): share for name, share in shares.items()})
        self._status.show(dict.fromkeys(statuses.items(), 1))

    def set_leader(self, is_leader: bool) -> None:
        """Shows whether this replica leads."""
        self._leader.set(1 if is_leader else 0)

    def count_look(self, outcome: str) -> None:
        """Counts one look."""
        self._looks.labels(outcome).inc()

    def count_decision(self, experiment: str, action: str, reasons: Sequence[str]) -> None:
        """Counts what was decided."""
        self._decisions.labels(experiment, action).inc()
        if action == "roll_back":
            self._rolled_back.labels(experiment, reasons[0]).inc()

    def count_held_back(self, experiment: str) -> None:
        """Counts a candidate that was taken out by this process alone."""
        self._held_back.labels(experiment).inc()
