"""Which arm answers, how fast, how right, and what a shadow would have said?"""

from __future__ import annotations

from typing import Final

from deploy.observability.panels import Board, Kind, Panel, Query, Row, Unit

_NS: Final = 'namespace=~"$namespace"'
_RATE: Final = "[$__rate_interval]"
_NO_EXPERIMENT: Final = "no experiment runs"
_NO_SHADOW: Final = "no shadow runs"
_NO_FEEDBACK: Final = "no feedback has come"

_ARMS = Row(
    "Arms",
    (
        Panel(
            "Answers by arm",
            "`reason` says why that arm: drawn, or another's share that is gated.",
            Unit.PER_SECOND,
            (
                Query(
                    "sum by (experiment, arm, reason) "
                    f"(rate(diptych_gateway_experiment_answers_total{{{_NS}}}{_RATE}))",
                    "{{experiment}} {{arm}} {{reason}}",
                ),
            ),
            kind=Kind.STACK,
            empty_because=_NO_EXPERIMENT,
        ),
        Panel(
            "P99 by arm",
            "Time to the answer, of good answers.",
            Unit.SECONDS,
            (
                Query(
                    "histogram_quantile(0.99, sum by (le, experiment, arm) "
                    f"(rate(diptych_gateway_experiment_answer_seconds_bucket{{{_NS}}}{_RATE})))",
                    "{{experiment}} {{arm}}",
                ),
            ),
            limit=0.5,
            empty_because=_NO_EXPERIMENT,
        ),
        Panel(
            "Share of failures by arm",
            "Of its answers; what the caller sent wrong does not count.",
            Unit.RATIO,
            (
                Query(
                    "sum by (experiment, arm) (rate(diptych_gateway_experiment_answers_total"
                    f'{{{_NS},outcome!~"ok|input_fault"}}{_RATE})) / '
                    "sum by (experiment, arm) "
                    f"(rate(diptych_gateway_experiment_answers_total{{{_NS}}}{_RATE}))",
                    "{{experiment}} {{arm}}",
                ),
            ),
            empty_because="no arm failed",
        ),
        Panel(
            "Arms that get no traffic",
            "1 for each whose variant may not serve; its share goes to the control.",
            Unit.COUNT,
            (
                Query(
                    "max by (experiment, arm, reason) "
                    f"(diptych_gateway_experiment_gated_arm_info{{{_NS}}}) > 0",
                    "{{experiment}} {{arm}} {{reason}}",
                ),
            ),
            empty_because="all arms may serve",
        ),
    ),
)

_SHADOWS = Row(
    "Shadows",
    (
        Panel(
            "Agreement",
            "Of the requests that a candidate answered too: the same best label.",
            Unit.RATIO,
            (
                Query(
                    "sum by (shadow) (rate(diptych_gateway_shadow_calls_total"
                    f'{{{_NS},outcome="agreed"}}{_RATE})) / '
                    "sum by (shadow) (rate(diptych_gateway_shadow_calls_total"
                    f'{{{_NS},outcome=~"agreed|differed"}}{_RATE}))',
                    "{{shadow}}",
                ),
            ),
            empty_because=_NO_SHADOW,
        ),
        Panel(
            "What came of shadow calls",
            "`dropped_busy`: the service was near its limit and came first.",
            Unit.PER_SECOND,
            (
                Query(
                    "sum by (shadow, outcome) "
                    f"(rate(diptych_gateway_shadow_calls_total{{{_NS}}}{_RATE}))",
                    "{{shadow}} {{outcome}}",
                ),
            ),
            kind=Kind.STACK,
            empty_because=_NO_SHADOW,
        ),
    ),
)

_FEEDBACK = Row(
    "Feedback",
    (
        Panel(
            "Feedback that came",
            "By what came of it.",
            Unit.PER_SECOND,
            (
                Query(
                    "sum by (outcome) "
                    f"(rate(diptych_gateway_feedback_items_total{{{_NS}}}{_RATE}))",
                    "{{outcome}}",
                ),
            ),
            kind=Kind.STACK,
            empty_because=_NO_FEEDBACK,
        ),
        Panel(
            "Accuracy by feedback",
            "The estimate, and its interval of 95 %.",
            Unit.RATIO,
            (
                Query(
                    "max by (variant, bound) "
                    f'(diptych_gateway_feedback_quality{{{_NS},figure="accuracy"}})',
                    "{{variant}} {{bound}}",
                ),
            ),
            empty_because=_NO_FEEDBACK,
        ),
    ),
)

_DRIFT = Row(
    "Ramps and drift",
    (
        Panel(
            "Share of the candidate",
            "Of ramps under way. The line ends, or falls to 0, when the ramp does.",
            Unit.RATIO,
            (
                Query(
                    f"max by (experiment) (diptych_ramp_candidate_share_ratio{{{_NS}}})",
                    "{{experiment}}",
                ),
            ),
            empty_because="no ramp is under way",
        ),
        Panel(
            "Drift, of what would be chance",
            "Distance of the last window of traffic from the reference. Above 1 is drift.",
            Unit.COUNT,
            (
                Query(
                    f"max by (variant, kind, task) (diptych_drift_threshold_ratio{{{_NS}}})",
                    "{{variant}} {{kind}} {{task}}",
                ),
            ),
            limit=1,
            empty_because="no window of traffic was judged yet",
        ),
    ),
)

EXPERIMENTS: Final = Board(
    "experiments", "Diptych: experiments", __doc__ or "", (_ARMS, _SHADOWS, _FEEDBACK, _DRIFT)
)
