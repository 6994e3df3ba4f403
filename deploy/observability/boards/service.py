"""Is the promise kept, and where does the time go?"""

from __future__ import annotations

from typing import Final

from deploy.observability.panels import Board, Kind, Panel, Query, Row, Unit

_NS: Final = 'namespace=~"$namespace"'
_SINGLE: Final = f'{_NS},route=~"/v1/classify|diptych.v1.Classifier/Classify"'
_RATE: Final = "[$__rate_interval]"


def _quantile(quantile: float, by: str, metric: str, labels: str) -> str:
    return (
        f"histogram_quantile({quantile}, sum by ({by}) (rate({metric}_bucket{{{labels}}}{_RATE})))"
    )


_PROMISE = Row(
    "The promise: 99 of 100 within 500 ms, and no more than 1 failure in 1000",
    (
        Panel(
            "In time",
            "Share of the last hour's classifications that were answered within 500 ms.",
            Unit.RATIO,
            (Query(f"1 - avg(diptych:slo_slow:ratio_rate1h{{{_NS}}})", "in time"),),
            kind=Kind.NUMBER,
        ),
        Panel(
            "Available",
            "Share of the last hour's classifications that no fault of the service ended.",
            Unit.RATIO,
            (Query(f"1 - avg(diptych:slo_unavailable:ratio_rate1h{{{_NS}}})", "available"),),
            kind=Kind.NUMBER,
        ),
        Panel(
            "P99",
            "99 of 100 requests of the last five minutes were answered within this, refusals too.",
            Unit.SECONDS,
            (Query(f"max(diptych:request_seconds:p99_5m{{{_NS}}})", "P99"),),
            kind=Kind.NUMBER,
            limit=0.5,
        ),
        Panel(
            "Requests",
            "What comes, a second.",
            Unit.PER_SECOND,
            (Query(f"sum(diptych:offered:rate5m{{{_NS}}})", "requests"),),
            kind=Kind.NUMBER,
        ),
        Panel(
            "Refused for load",
            "Share of what comes that is answered with 429, so that the rest is in time.",
            Unit.RATIO,
            (Query(f"max(diptych:shed:ratio_rate5m{{{_NS}}})", "refused"),),
            kind=Kind.NUMBER,
            limit=0.05,
        ),
        Panel(
            "From the CPU for want of the GPU",
            "Share of the answers that fell back.",
            Unit.RATIO,
            (Query(f"max(diptych:fallback:ratio_rate5m{{{_NS}}})", "fallback"),),
            kind=Kind.NUMBER,
            limit=0.01,
        ),
        Panel(
            "Speed at which the budget of slow answers burns",
            "1 spends it in 30 days. Pages at 14.4 over an hour, at 6 over six hours.",
            Unit.COUNT,
            (
                Query(f"max(diptych:slo_slow:ratio_rate5m{{{_NS}}}) / 0.01", "5 minutes"),
                Query(f"max(diptych:slo_slow:ratio_rate1h{{{_NS}}}) / 0.01", "1 hour"),
                Query(f"max(diptych:slo_slow:ratio_rate6h{{{_NS}}}) / 0.01", "6 hours"),
            ),
            limit=14.4,
        ),
        Panel(
            "Speed at which the budget of failures burns",
            "1 spends it in 30 days. Pages at 14.4 over an hour, at 6 over six hours.",
            Unit.COUNT,
            (
                Query(f"max(diptych:slo_unavailable:ratio_rate5m{{{_NS}}}) / 0.001", "5 minutes"),
                Query(f"max(diptych:slo_unavailable:ratio_rate1h{{{_NS}}}) / 0.001", "1 hour"),
                Query(f"max(diptych:slo_unavailable:ratio_rate6h{{{_NS}}}) / 0.001", "6 hours"),
            ),
            limit=14.4,
        ),
    ),
)

_REQUESTS = Row(
    "Requests",
    (
        Panel(
            "Time to the answer",
            "Of single classifications, REST and gRPC, refusals included.",
            Unit.SECONDS,
            tuple(
                Query(
                    _quantile(q, "le", "diptych_gateway_request_seconds", _SINGLE), f"P{q * 100:g}"
                )
                for q in (0.5, 0.9, 0.99)
            ),
            limit=0.5,
        ),
        Panel(
            "Answers by code",
            "HTTP and gRPC status, of all routes but probes.",
            Unit.PER_SECOND,
            (
                Query(
                    "sum by (code) (rate(diptych_gateway_requests_total"
                    f'{{{_NS},route!~"/livez|/readyz|/metrics"}}{_RATE}))',
                    "{{code}}",
                ),
            ),
            kind=Kind.STACK,
        ),
        Panel(
            "Time of the stages, mean",
            "`receive` is the upload, `triton` all of Triton; the encoders' lie within it.",
            Unit.SECONDS,
            (
                Query(
                    f"sum by (stage) (rate(diptych_gateway_stage_seconds_sum{{{_NS}}}{_RATE})) / "
                    f"sum by (stage) (rate(diptych_gateway_stage_seconds_count{{{_NS}}}{_RATE}))",
                    "{{stage}}",
                ),
            ),
        ),
        Panel(
            "Time of the stages, P99",
            "As beside; the slowest of a hundred.",
            Unit.SECONDS,
            (
                Query(
                    _quantile(0.99, "le, stage", "diptych_gateway_stage_seconds", _NS), "{{stage}}"
                ),
            ),
        ),
        Panel(
            "Classifications by what they hold",
            "Image, text or both, by variant.",
            Unit.PER_SECOND,
            (
                Query(
                    "sum by (variant, modalities) (rate(diptych_gateway_classifications_total"
                    f"{{{_NS}}}{_RATE}))",
                    "{{variant}} {{modalities}}",
                ),
            ),
            kind=Kind.STACK,
        ),
        Panel(
            "Refused, by reason",
            "At arrival, before any work. `rate_limit` is a caller above its own rate.",
            Unit.PER_SECOND,
            (
                Query(
                    f"sum by (code) (rate(diptych_gateway_refusals_total{{{_NS}}}{_RATE}))",
                    "{{code}}",
                ),
            ),
            kind=Kind.STACK,
            empty_because="nothing was refused",
        ),
    ),
)

_BEHIND = Row(
    "Behind the gateway",
    (
        Panel(
            "Answers by pool",
            "And by what was not as usual; `none` is usual.",
            Unit.PER_SECOND,
            (
                Query(
                    "sum by (pool, degraded) (rate(diptych_gateway_pool_answers_total"
                    f"{{{_NS}}}{_RATE}))",
                    "{{pool}} {{degraded}}",
                ),
            ),
            kind=Kind.STACK,
        ),
        Panel(
            "Second tries",
            "On another server, by reason; and failures that were final.",
            Unit.PER_SECOND,
            (
                Query(
                    f"sum by (reason) (rate(diptych_gateway_retries_total{{{_NS}}}{_RATE}))",
                    "tried again: {{reason}}",
                ),
                Query(
                    "sum by (reason) "
                    f"(rate(diptych_gateway_retries_withheld_total{{{_NS}}}{_RATE}))",
                    "final: {{reason}}",
                ),
            ),
            empty_because="nothing failed",
        ),
        Panel(
            "Variants that serve",
            "1 for each, with its digest; a step is a roll-out.",
            Unit.COUNT,
            (
                Query(
                    f"max by (variant, digest) (diptych_gateway_variant_info{{{_NS}}})",
                    "{{variant}} {{digest}}",
                ),
            ),
        ),
        Panel(
            "Answers that were not computed again",
            "`joined` an equal request in flight, `hit` the cache; `miss` was computed.",
            Unit.PER_SECOND,
            (
                Query(
                    f"sum by (event) (rate(diptych_gateway_answer_reuse_total{{{_NS}}}{_RATE}))",
                    "{{event}}",
                ),
            ),
            kind=Kind.STACK,
        ),
    ),
)

SERVICE: Final = Board("service", "Diptych: service", __doc__ or "", (_PROMISE, _REQUESTS, _BEHIND))
