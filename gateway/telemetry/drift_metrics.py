"""The metrics of drift. Labels are bounded by the catalog, its tasks and the kinds of drift.

`task` names whose labels or confidence have drifted; it is empty, which to Prometheus is a label
that is not there, for the inputs and for variants that name no tasks.
"""

from __future__ import annotations

from collections import Counter as Counts
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from gateway.telemetry.shown_gauge import ShownGauge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry

    from gateway.contract.drift.window import Finding

_KIND_LABELS = ("variant", "modalities", "kind", "task")


class DriftMetrics:
    """What the windows of traffic showed.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._statistic = Gauge(
            "diptych_drift_statistic",
            "Distance of the last window of traffic from the variant's reference, by kind of "
            "drift; 0: as measured before it was published.",
            _KIND_LABELS,
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._ratio = Gauge(
            "diptych_drift_threshold_ratio",
            "That distance, by what it exceeds by chance in one window of 10,000; above 1 is "
            "drift.",
            _KIND_LABELS,
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._is_drifting = Gauge(
            "diptych_drift_is_drifting",
            "1 where the last window showed drift of a kind, else 0; 0 as well when nothing was "
            "answered for the time of three windows.",
            _KIND_LABELS,
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._windows = Counter(
            "diptych_drift_windows_total",
            "Windows of traffic that were judged.",
            ("variant", "modalities"),
            registry=registry,
        )
        self._items = Counter(
            "diptych_drift_items_total",
            "Answers that went into windows.",
            ("variant", "modalities"),
            registry=registry,
        )
        references = Gauge(
            "diptych_drift_reference_info",
            "1 for each variant that is served, by `state` of its drift reference: `loaded`; "
            "`missing`, as in variants published without one; `unreadable`. Only the first is "
            "watched.",
            ("variant", "state"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._references = ShownGauge(references)

    def count_item(self, variant: str, modalities: str) -> None:
        """Counts an answer that went into a window."""
        self._items.labels(variant, modalities).inc()

    def show_window(self, variant: str, modalities: str, findings: Iterable[Finding]) -> None:
        """Shows what a window was found to be."""
        self._windows.labels(variant, modalities).inc()
        for finding in findings:
            labels = variant, modalities, finding.kind, finding.task
            self._statistic.labels(*labels).set(finding.statistic)
            self._ratio.labels(*labels).set(finding.ratio)
            self._is_drifting.labels(*labels).set(1 if finding.is_drifting else 0)

    def take_back(self, variant: str, modalities: str, findings: Iterable[Finding]) -> None:
        """Shows nothing where a window was shown that no longer says anything."""
        for finding in findings:
            labels = variant, modalities, finding.kind, finding.task
            # Several processes share these in files, from which a series cannot be removed.
            for each in (self._statistic, self._ratio, self._is_drifting):
                each.labels(*labels).set(0)

    def show_references(self, states: Iterable[tuple[str, str]]) -> None:
        """Shows the state of each variant's reference, by variant and state."""
        self._references.show(Counts(states))
