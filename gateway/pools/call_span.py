"""The span of one try on one Triton, which the server's own spans continue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.telemetry.tracing import names
from gateway.telemetry.tracing.span import NULL_SPAN, SpanKind, current_span

if TYPE_CHECKING:
    from gateway.catalog import Variant
    from gateway.placement import Degraded
    from gateway.pools.endpoint import Endpoint
    from gateway.telemetry.tracing.span import Span, Value


def call_span(
    endpoint: Endpoint,
    variant: Variant,
    *,
    degraded: Degraded | None = None,
    attempt: int = 1,
    reason: str | None = None,
) -> Span:
    """Begins it; to be used as a context manager.

    Args:
        endpoint: that is asked.
        variant: as it serves it.
        degraded: why it is not of the usual pool.
        attempt: 1 for the first try.
        reason: why there is another.
    """
    parent = current_span()
    if parent is NULL_SPAN:
        return parent
    host, _, port = endpoint.address.rpartition(":")
    attributes: dict[str, Value] = {
        names.RPC_SYSTEM: "grpc",
        names.RPC_METHOD: names.INFER,
        names.SERVER_ADDRESS: host.strip("[]"),
        names.SERVER_PORT: int(port),
        names.POOL: endpoint.pool,
        names.DEGRADED: degraded,
        names.VARIANT: variant.name,
        names.DIGEST: variant.digest,
        names.ATTEMPT: attempt,
        names.ATTEMPT_REASON: reason,
    }
    return parent.child(names.INFER, SpanKind.CLIENT, attributes)
