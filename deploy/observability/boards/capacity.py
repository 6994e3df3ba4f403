"""How much more can it carry, and what gives out first?"""

from __future__ import annotations

from typing import Final

from deploy.observability.panels import Board, Kind, Panel, Query, Row, Unit

_NS: Final = 'namespace=~"$namespace"'
_RATE: Final = "[$__rate_interval]"

_ROOM = Row(
    "Room",
    (
        Panel(
            "Places in use",
            "Classifications in flight, of as many as admission lets in. At 1 it refuses.",
            Unit.RATIO,
            (
                Query(
                    f"sum(diptych_gateway_in_flight_requests{{{_NS}}}) / "
                    f"sum(diptych_gateway_concurrency_limit{{{_NS}}})",
                    "in use",
                ),
            ),
            limit=0.8,
        ),
        Panel(
            "In flight, and the limit",
            "The limit finds itself: it follows the latencies that are seen.",
            Unit.COUNT,
            (
                Query(f"sum(diptych_gateway_in_flight_requests{{{_NS}}})", "in flight"),
                Query(f"sum(diptych_gateway_concurrency_limit{{{_NS}}})", "limit"),
                Query(
                    f"sum by (pool) (diptych_gateway_pool_concurrency_limit{{{_NS}}})",
                    "limit of {{pool}}",
                ),
            ),
        ),
        Panel(
            "Offered and answered",
            "What lies between the two was refused or failed.",
            Unit.PER_SECOND,
            (
                Query(f"sum(diptych:offered:rate5m{{{_NS}}})", "offered"),
                Query(
                    "sum(rate(diptych_gateway_classifications_total"
                    f'{{{_NS},outcome="ok"}}{_RATE}))',
                    "answered",
                ),
            ),
        ),
        Panel(
            "Refused for load, by priority",
            "`batch` gives way first.",
            Unit.PER_SECOND,
            (
                Query(
                    "sum by (priority) (rate(diptych_gateway_refusals_total"
                    f'{{{_NS},code!="rate_limit"}}{_RATE}))',
                    "{{priority}}",
                ),
            ),
            kind=Kind.STACK,
            empty_because="nothing was refused",
        ),
    ),
)

_SERVERS = Row(
    "Servers",
    (
        Panel(
            "Requests on their way to each Triton",
            "Equal heights: the balance is good.",
            Unit.COUNT,
            (
                Query(
                    f"sum by (pool, endpoint) (diptych_gateway_endpoint_in_flight{{{_NS}}})",
                    "{{pool}} {{endpoint}}",
                ),
            ),
            kind=Kind.STACK,
        ),
        Panel(
            "States of the servers",
            "As the worst-informed gateway sees them.",
            Unit.COUNT,
            (
                Query(
                    "count by (pool, state) (max by (pool, endpoint, state) "
                    f"(diptych_gateway_endpoint_state{{{_NS}}}) == 1)",
                    "{{pool}} {{state}}",
                ),
            ),
            kind=Kind.STACK,
        ),
        Panel(
            "Signals of the autoscalers",
            "For each Triton: pending requests, and time in the queue as a share of 100 ms.",
            Unit.COUNT,
            (
                Query(
                    f"sum by (instance) (nv_inference_pending_request_count{{{_NS}}})",
                    "pending {{instance}}",
                ),
                Query(
                    f"max by (model) (diptych:triton_queue_seconds:mean5m{{{_NS}}}) / 0.1",
                    "queue {{model}}",
                ),
            ),
        ),
        Panel(
            "Processes and replicas of the gateway",
            "Workers that live, and targets that Prometheus reaches.",
            Unit.COUNT,
            (
                Query(f"sum(diptych_gateway_workers{{{_NS}}})", "workers"),
                Query(f'sum by (job) (up{{{_NS},job=~".*diptych-.*"}})', "{{job}}"),
            ),
        ),
        Panel(
            "Connections",
            "Open over HTTP, of all gateways.",
            Unit.COUNT,
            (Query(f"sum(diptych_gateway_connections{{{_NS}}})", "open"),),
        ),
        Panel(
            "Connections that the gateway ended, by reason",
            "`no_room` and `made_way`: there were as many as may be.",
            Unit.PER_SECOND,
            (
                Query(
                    "sum by (reason) "
                    f"(rate(diptych_gateway_connection_ends_total{{{_NS}}}{_RATE}))",
                    "{{reason}}",
                ),
            ),
            kind=Kind.STACK,
            empty_because="callers ended theirs themselves",
        ),
    ),
)

CAPACITY: Final = Board("capacity", "Diptych: capacity", __doc__ or "", (_ROOM, _SERVERS))
