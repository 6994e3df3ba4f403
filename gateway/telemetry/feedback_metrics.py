"""The metrics of receipts, feedback and what it says; `metrics.Metrics` owns them.

Labels are bounded by the variants, tasks and experiments that there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from gateway.telemetry.shown_gauge import ShownGauge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

_COMMIT_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 6.0)
_GROUP_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class FeedbackMetrics:
    """The metrics and the few ways to move them.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._receipt_keys = Gauge(
            "diptych_gateway_receipt_keys",
            "Keys that verify prediction ids; 0: none are set, and those in use end with the "
            "process.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._keys_reloads = Counter(
            "diptych_gateway_receipt_keys_reloads_total",
            "Changes of the file of receipt keys, by outcome: `loaded`, or `refused` and the old "
            "keys go on.",
            ("outcome",),
            registry=registry,
        )
        self._items = Counter(
            "diptych_gateway_feedback_items_total",
            "Items of feedback, single and in batches, by what came of them: `recorded`, "
            "`corrected`, `unchanged`, `outdated`, or the error's code.",
            ("outcome",),
            registry=registry,
        )
        self._waiting = Gauge(
            "diptych_gateway_feedback_waiting",
            "Labels that wait for the database.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._commit_s = Histogram(
            "diptych_gateway_feedback_commit_seconds",
            "Time of one transaction that records feedback.",
            buckets=_COMMIT_BUCKETS_S,
            registry=registry,
        )
        self._group_labels = Histogram(
            "diptych_gateway_feedback_group_labels",
            "Labels that one transaction recorded.",
            buckets=_GROUP_BUCKETS,
            registry=registry,
        )
        quality = Gauge(
            "diptych_gateway_feedback_quality",
            "What feedback says of a variant: `figure` is `accuracy`, `macro_f1`, "
            "`calibration_error` or `confidence`; `bound` is `estimate`, or `low` or `high` of its "
            "95 % interval.",
            ("variant", "digest", "task", "figure", "bound"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        effective = Gauge(
            "diptych_gateway_feedback_effective_labels",
            "How many labels drawn with equal chance would tell as much of a variant as those that "
            "there are.",
            ("variant", "digest", "task"),
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._quality = ShownGauge(quality)
        self._effective = ShownGauge(effective)

    def set_receipt_keys(self, count: int) -> None:
        """Shows how many keys verify."""
        self._receipt_keys.set(count)

    def count_keys_reload(self, *, is_refused: bool) -> None:
        """Counts a change of the file."""
        self._keys_reloads.labels("refused" if is_refused else "loaded").inc()

    def count_item(self, outcome: str) -> None:
        """Counts one item by what came of it."""
        self._items.labels(outcome).inc()

    def set_waiting(self, count: int) -> None:
        """Shows how many labels wait."""
        self._waiting.set(count)

    def observe_commit(self, labels: int, seconds: float) -> None:
        """Adds one transaction."""
        self._group_labels.observe(labels)
        self._commit_s.observe(seconds)

    def show_quality(
        self,
        figures: Mapping[tuple[str, ...], float],
        effective: Mapping[tuple[str, ...], float],
    ) -> None:
        """Shows what feedback says now.

        Args:
            figures: by variant, digest, task, figure and bound.
            effective: by variant, digest and task.
        """
        self._quality.show(figures)
        self._effective.show(effective)
