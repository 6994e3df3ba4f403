"""Whole processes: what is loaded, what is refused at the start, collectors that are not there."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from deploy.local.triton_server import free_ports
from gateway.start_errors import TracingError
from gateway.telemetry.trace_metrics import TraceMetrics
from gateway.telemetry.tracing.exporting import make_tracer
from tests.gateway.pod.pods import running_pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway.conftest import StartGateway
    from tests.gateway.fake_triton import FakeTriton
    from tests.gateway.telemetry.tracing.collector import Collector

pytestmark = pytest.mark.anyio

_SERVE_ONCE = """
import asyncio, sys, urllib.request
from gateway.server import serve_until
from gateway.settings import load_settings

async def main():
    stop, started = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_until(stop, load_settings({}), started.set_result))
    ports = await started
    url = f"http://127.0.0.1:{ports.http}/v1/classify"
    request = urllib.request.Request(url, b'{"text": "a"}', {"content-type": "application/json"})
    status = (await asyncio.to_thread(urllib.request.urlopen, request)).status
    stop.set()
    await serving
    # Of OpenTelemetry the API alone, which FastAPI imports, and which does nothing by itself.
    print(status, [x for x in ("opentelemetry.sdk", "opentelemetry.exporter") if x in sys.modules])

asyncio.run(main())
"""
_GLOBAL_PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(provider)
trace.get_tracer("test").start_span("before the start").end()
"""
_WITHOUT_THE_EXTRA = """
import runpy, sys
sys.modules["opentelemetry.sdk"] = None
runpy.run_module("gateway", run_name="__main__", alter_sys=True)
"""


def serving_settings(triton: FakeTriton) -> dict[str, str]:
    return {
        "DIPTYCH_GATEWAY_TRITON_GRPC_URL": triton.url,
        "DIPTYCH_GATEWAY_HTTP_PORT": "0",
        "DIPTYCH_GATEWAY_GRPC_PORT": "0",
        "DIPTYCH_GATEWAY_DRAIN_DELAY_S": "0",
        "DIPTYCH_GATEWAY_REQUEST_BUDGET_MS": "10000",
    }


async def run_python(code: str, **variables: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_off_never_loads_what_records_or_sends(triton: FakeTriton) -> None:
    status, out, err = await run_python(
        _SERVE_ONCE,
        **serving_settings(triton),
    )
    assert (status, out.strip()) == (0, "200 []"), err


async def test_missing_extra_ends_the_process_with_a_sentence() -> None:
    status, _, err = await run_python(_WITHOUT_THE_EXTRA, DIPTYCH_GATEWAY_HAS_TRACING="true")
    assert status == 1
    assert "pip install 'diptych[gateway,tracing]'" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "asks for zipkin, which is not installed"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "avian", "write one of grpc, http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "OTEL_\\* variables cannot be used"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "OTEL_\\* variables cannot be used"),
    ],
)
def test_make_tracer_variable_that_cannot_be_used_is_refused(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(TracingError, match=said):
        make_tracer(os.environ, None, TraceMetrics(CollectorRegistry()))


async def test_workers_send_as_processes_of_their_own(
    collector: Collector, triton: FakeTriton
) -> None:
    async with running_pod(triton, has_tracing=True) as pod:

        def instances() -> set[str]:
            return {each.resource["service.instance.id"] for each in collector.spans}

        async with asyncio.timeout(20):
            while len(instances()) < 2:
                async with pod.client() as http:  # a connection of its own, for either worker
                    await http.post("/v1/classify", json={"text": "a"})
    assert {each.resource["diptych.worker"] for each in collector.spans} == {0, 1}


async def test_spans_of_the_last_request_are_sent_before_the_end(
    collector: Collector, start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    async with start_gateway(has_tracing=True) as gateway:
        await gateway.http.post("/v1/classify", json={"text": "a"})
        assert collector.spans == []
    assert len(collector.spans) == 7


@pytest.fixture(params=["refused", "silent"])
def dead_endpoint(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a collector whose port is closed, or that accepts and never answers."""
    if request.param == "refused":
        yield f"http://127.0.0.1:{free_ports(1)[0]}"
        return
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


async def test_dead_collector_costs_no_request_and_delays_the_end_by_seconds(
    dead_endpoint: str,
    start_gateway: StartGateway,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", dead_endpoint)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hunter2")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "32")
    caplog.set_level(logging.WARNING)
    async with start_gateway(has_tracing=True) as gateway:
        statuses = [
            (await gateway.http.post("/v1/classify", json={"text": "a"})).status_code
            for _ in range(40)
        ]
        stopped_s = time.monotonic()
    assert statuses == [200] * 40
    # Three seconds for the flush, and what this machine does beside.
    assert time.monotonic() - stopped_s < 6
    said = [each.getMessage() for each in caplog.records if each.name.startswith("opentelemetry")]
    assert len(said) < 10
    assert "hunter2" not in "".join(said)


async def test_lost_spans_are_counted(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    async with start_gateway(has_tracing=True) as gateway:
        await gateway.http.post("/v1/classify", json={"text": "a"})
        text = ""
        async with asyncio.timeout(10):
            while 'diptych_gateway_trace_spans_total{outcome="lost"} 7.0' not in text:
                text = (await gateway.http.get("/metrics")).text
                await asyncio.sleep(0.05)


async def test_console_exporter_prints_spans_and_the_framework_adds_none(
    triton: FakeTriton,
) -> None:
    status, out, err = await run_python(
        _GLOBAL_PROVIDER + _SERVE_ONCE,
        **serving_settings(triton),
        DIPTYCH_GATEWAY_HAS_TRACING="true",
        OTEL_TRACES_EXPORTER="console",
    )
    assert status == 0, err
    assert '"name": "POST /v1/classify"' in out
    assert '"name": "before the start"' in out
    assert '"name": "fastapi.' not in out
    assert out.count('"kind": "SpanKind.SERVER"') == 1
