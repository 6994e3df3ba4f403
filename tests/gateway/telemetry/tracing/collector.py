"""A collector that speaks OTLP over gRPC, as the real ones do, and keeps what it gets."""

# ruff: noqa: ANN401, N802 - untyped protocol messages
from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from deploy.local.triton_server import free_ports
from tests.gateway.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        endpoint: its URL, once it runs.
    """

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.raw: list[bytes] = []
        self.endpoint = ""

    def Export(self, request: Any, context: Any) -> Any:
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


@contextmanager
def collecting() -> Iterator[Collector]:
    """Runs a collector in threads of its own."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port(f"127.0.0.1:{free_ports(1)[0]}")
    collector.endpoint = f"http://127.0.0.1:{port}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


@contextmanager
def collecting_over_http() -> Iterator[tuple[list[dict[str, Any]], str]]:
    """Runs a collector of OTLP over HTTP in JSON, as Triton sends it.

    Yields:
        The spans as they come, and its URL.
    """
    spans: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
            for group in sent["resourceSpans"]:
                for scope in group["scopeSpans"]:
                    spans.extend(scope["spans"])
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Writes nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield spans, f"http://127.0.0.1:{server.server_port}/v1/traces"
        finally:
            server.shutdown()
            serving.join()
