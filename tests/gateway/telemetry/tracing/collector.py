"""A collector that speaks OTLP over gRPC, as the real ones do, and keeps what it gets."""

# ruff: noqa: ANN401, N802 - untyped protocol messages
from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from deploy.local.triton_server import free_ports
from tests.gateway.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVER, CLIENT, INTERNAL = 2, 3, 1
ERROR = 2


@dataclass(frozen=True)
class ReceivedSpan:
    """One span; ids in hexadecimal, a root's parent is empty."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    is_error: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """The servicer.

    Attributes:
        spans: in the order in which they came.
        raw: the messages as they came.
    """

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.raw: list[bytes] = []

    async def Export(self, request: Any, context: Any) -> Any:
        self.keep(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    def keep(self, request: Any) -> None:
        """Keeps the spans of one message."""
        self.raw.append(request.SerializeToString())
        for group in request.resource_spans:
            resource = _values(group.resource.attributes)
            for scope in group.scope_spans:
                self.spans += [_read(span, resource) for span in scope.spans]

    async def trace(self, count: int, trace_id: str | None = None) -> dict[str, ReceivedSpan]:
        """Waits until there are so many spans (of a trace), and returns them by name.

        Of several with one name the last.
        """

        def found() -> list[ReceivedSpan]:
            return [each for each in self.spans if trace_id in {None, each.trace_id}]

        await eventually(lambda: len(found()) >= count, timeout_s=10)
        assert len(found()) == count, [each.name for each in found()]
        return {each.name: each for each in found()}

    def named(self, name: str) -> list[ReceivedSpan]:
        """Spans of one name, by their start."""
        return sorted((x for x in self.spans if x.name == name), key=lambda each: each.start_ns)


def _read(span: Any, resource: dict[str, Any]) -> ReceivedSpan:
    assert not span.events
    return ReceivedSpan(
        name=span.name,
        kind=span.kind,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        is_error=span.status.code == ERROR,
        attributes=_values(span.attributes),
        resource=resource,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@asynccontextmanager
async def running_collector() -> AsyncIterator[tuple[Collector, str]]:
    """Yields a collector and its endpoint."""
    collector = Collector()
    server = grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port(f"127.0.0.1:{free_ports(1)[0]}")
    await server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        await server.stop(None)
