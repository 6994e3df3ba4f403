"""Requests to a real gateway, and the spans that a real collector gets of them."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry.semconv._incubating.attributes import rpc_attributes
from opentelemetry.semconv.attributes import (
    error_attributes,
    http_attributes,
    server_attributes,
    url_attributes,
)

from gateway.api.proto.diptych.v1 import classify_pb2
from gateway.telemetry.tracing import names
from tests.gateway.conftest import RunningGateway, eventually, run_gateway, run_triton
from tests.gateway.fake_triton import BROKEN_IMAGE
from tests.gateway.key_files import Keys
from tests.gateway.manifests import make_dual_repository
from tests.gateway.telemetry.tracing.collector import CLIENT, INTERNAL, SERVER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import StartGateway
    from tests.gateway.fake_triton import FakeTriton
    from tests.gateway.telemetry.tracing.collector import Collector

pytestmark = pytest.mark.anyio

TRACE_ID, CALLER_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE_ID}-{CALLER_ID}-01"
UNSAMPLED = f"00-{TRACE_ID}-{CALLER_ID}-00"
STAGES = {names.RECEIVE, names.ADMISSION, names.CLASSIFY, names.TRITON, names.RESPOND, names.INFER}


async def test_rest_request_has_a_span_for_each_stage_within_its_own(
    traced: RunningGateway, collector: Collector, triton: FakeTriton
) -> None:
    answer = await traced.http.post("/v1/classify", json={"text": "hedgehog"})
    assert answer.status_code == 200

    spans = await collector.trace(7)

    server = spans["POST /v1/classify"]
    assert spans.keys() == {server.name, *STAGES}
    assert {each.trace_id for each in spans.values()} == {server.trace_id}
    assert (server.kind, server.parent_id, server.is_error) == (SERVER, "", False)
    parents = {name: spans[name].parent_id for name in STAGES}
    assert parents == {
        names.ADMISSION: server.span_id,
        names.RECEIVE: server.span_id,
        names.CLASSIFY: server.span_id,
        names.TRITON: spans[names.CLASSIFY].span_id,
        names.RESPOND: spans[names.CLASSIFY].span_id,
        names.INFER: spans[names.TRITON].span_id,
    }
    assert {spans[each].kind for each in STAGES - {names.INFER}} == {INTERNAL}
    assert spans[names.INFER].kind == CLIENT
    for each in spans.values():
        assert server.start_ns <= each.start_ns <= each.end_ns <= server.end_ns
    assert server.resource["service.name"] == "diptych-gateway"


async def test_attributes_are_those_of_the_conventions(
    traced: RunningGateway, collector: Collector, triton: FakeTriton
) -> None:
    answer = (
        await traced.http.post(
            "/v1/classify", json={"text": "hedgehog"}, headers={"x-request-id": "mine"}
        )
    ).json()

    spans = await collector.trace(7)

    assert spans["POST /v1/classify"].attributes == {
        http_attributes.HTTP_REQUEST_METHOD: "POST",
        http_attributes.HTTP_ROUTE: "/v1/classify",
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 200,
        url_attributes.URL_SCHEME: "http",
        "diptych.request_id": "mine",
        "diptych.variant": "demo",
        "diptych.modalities": "text",
    }
    assert spans[names.CLASSIFY].attributes == {
        "diptych.variant": "demo",
        "diptych.digest": answer["digest"],
        "diptych.modalities": "text",
        "diptych.pool": "default",
        "diptych.source": "computed",
    }
    assert spans[names.INFER].attributes == {
        rpc_attributes.RPC_SYSTEM_NAME: "grpc",
        rpc_attributes.RPC_METHOD: "inference.GRPCInferenceService/ModelInfer",
        rpc_attributes.RPC_RESPONSE_STATUS_CODE: "OK",
        server_attributes.SERVER_ADDRESS: "127.0.0.1",
        server_attributes.SERVER_PORT: triton.port,
        "diptych.pool": "default",
        "diptych.variant": "demo",
        "diptych.digest": answer["digest"],
        "diptych.attempt": 1,
    }


async def test_callers_context_is_continued_and_passed_on_to_triton(
    traced: RunningGateway, collector: Collector, triton: FakeTriton
) -> None:
    headers = {"traceparent": SAMPLED, "tracestate": "vendor=1", "baggage": "user=alice"}
    await traced.http.post("/v1/classify", json={"text": "hedgehog"}, headers=headers)

    spans = await collector.trace(7, TRACE_ID)

    assert spans["POST /v1/classify"].parent_id == CALLER_ID
    (metadata,) = triton.metadata
    assert metadata["traceparent"] == f"00-{TRACE_ID}-{spans[names.INFER].span_id}-01"
    assert metadata["tracestate"] == "vendor=1"
    assert "baggage" not in metadata


async def test_grpc_call_continues_the_context_of_its_metadata(
    traced: RunningGateway, collector: Collector, triton: FakeTriton
) -> None:
    await traced.grpc.Classify(
        classify_pb2.ClassifyRequest(text="hedgehog"), metadata=(("traceparent", SAMPLED),)
    )

    spans = await collector.trace(6, TRACE_ID)

    server = spans["diptych.v1.Classifier/Classify"]
    assert (server.kind, server.parent_id) == (SERVER, CALLER_ID)
    assert server.attributes[rpc_attributes.RPC_SYSTEM_NAME] == "grpc"
    assert server.attributes[rpc_attributes.RPC_METHOD] == "diptych.v1.Classifier/Classify"
    assert server.attributes[rpc_attributes.RPC_RESPONSE_STATUS_CODE] == "OK"
    assert triton.metadata[0]["traceparent"].split("-")[2] == spans[names.INFER].span_id


async def test_each_message_of_a_stream_has_a_span_of_its_own(
    traced: RunningGateway, collector: Collector
) -> None:
    messages = [
        classify_pb2.ClassifyStreamRequest(
            client_id=str(each), request=classify_pb2.ClassifyRequest(text=f"text {each}")
        )
        for each in range(2)
    ]
    call = traced.grpc.ClassifyStream(iter(messages), metadata=(("traceparent", SAMPLED),))
    assert {answer.client_id async for answer in call} == {"0", "1"}

    await collector.trace(12, TRACE_ID)

    servers = collector.named("diptych.v1.Classifier/ClassifyStream")
    assert [each.parent_id for each in servers] == [CALLER_ID] * 2
    for name in (names.CLASSIFY, names.ADMISSION):
        assert {x.parent_id for x in collector.named(name)} == {x.span_id for x in servers}


async def test_each_item_of_a_batch_has_stages_of_its_own(
    traced: RunningGateway, collector: Collector
) -> None:
    body = {"items": [{"text": "a"}, {"text": "b"}, {"text": ""}]}
    await traced.http.post("/v1/classify:batch", json=body)

    spans = await collector.trace(11)

    server = spans["POST /v1/classify:batch"]
    items = collector.named(names.CLASSIFY)
    assert [each.parent_id for each in items] == [server.span_id] * 2
    calls = {each.parent_id for each in collector.named(names.TRITON)}
    assert calls == {each.span_id for each in items}


async def test_unsampled_context_is_logged_and_neither_recorded_nor_passed_on(
    traced: RunningGateway,
    collector: Collector,
    triton: FakeTriton,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    await traced.http.post(
        "/v1/classify", json={"text": "hedgehog"}, headers={"traceparent": UNSAMPLED}
    )
    await traced.http.post("/v1/classify", json={"text": "hedgehog"})

    await collector.trace(7)

    assert TRACE_ID not in {each.trace_id for each in collector.spans}
    assert ["traceparent" in each for each in triton.metadata] == [False, True]
    assert logged(caplog, "trace_id") == [TRACE_ID, collector.spans[0].trace_id]


def logged(caplog: pytest.LogCaptureFixture, field: str) -> list[Any]:
    lines = [each for each in caplog.records if each.name == "gateway.access"]
    return [getattr(each, "event_fields", {}).get(field) for each in lines]


@pytest.mark.parametrize("traceparent", ["nonsense", "00-" + "0" * 32 + "-1234-01", "x" * 10_000])
async def test_context_that_cannot_be_read_begins_a_new_trace(
    traceparent: str,
    traced: RunningGateway,
    collector: Collector,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await traced.http.post(
        "/v1/classify", json={"text": "a"}, headers={"traceparent": traceparent}
    )
    assert answer.status_code == 200
    assert (await collector.trace(7))["POST /v1/classify"].parent_id == ""
    assert not any(each.name.startswith("opentelemetry") for each in caplog.records)


async def test_ratio_of_the_standard_variable_decides_what_is_sampled(
    collector: Collector, start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "other")
    async with start_gateway(has_tracing=True) as gateway:
        sent = {"traceparent": SAMPLED}  # which this sampler does not ask
        await gateway.http.post("/v1/classify", json={"text": "a"}, headers=sent)
    assert collector.spans == []
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "1")
    async with start_gateway(has_tracing=True) as gateway:
        await gateway.http.post("/v1/classify", json={"text": "a"})
    assert {each.resource["service.name"] for each in collector.spans} == {"other"}


@pytest.mark.parametrize(
    ("body", "status", "code", "is_error"),
    [
        ({"text": ""}, 422, "text_empty", False),
        ({"text": "a", "variant": "none"}, 404, "variant_unknown", False),
        ({"text": "stub died"}, 500, "backend_failure", True),
        ({"text": "queue full"}, 503, "overloaded", True),
    ],
)
async def test_error_names_its_code_and_blames_the_service_only_for_5xx(
    body: dict[str, str],
    status: int,
    code: str,
    is_error: bool,
    traced: RunningGateway,
    collector: Collector,
) -> None:
    assert (await traced.http.post("/v1/classify", json=body)).status_code == status
    await eventually(lambda: bool(collector.named("POST /v1/classify")), 10)
    (server,) = collector.named("POST /v1/classify")
    assert server.attributes[error_attributes.ERROR_TYPE] == code
    assert server.attributes[http_attributes.HTTP_RESPONSE_STATUS_CODE] == status
    assert server.is_error is is_error


async def test_fault_of_an_image_is_an_error_of_the_call_and_not_of_the_request(
    traced: RunningGateway, collector: Collector
) -> None:
    answer = await traced.http.post("/v1/classify", files={"image": ("a", BROKEN_IMAGE)})
    assert answer.status_code == 422
    spans = await collector.trace(6)
    call, server = spans[names.INFER], spans["POST /v1/classify"]
    assert call.attributes[rpc_attributes.RPC_RESPONSE_STATUS_CODE] == "INVALID_ARGUMENT"
    assert (call.is_error, spans[names.CLASSIFY].is_error, server.is_error) == (True, False, False)


async def test_refusal_at_arrival_ends_in_the_admission_span(
    collector: Collector, start_gateway: StartGateway
) -> None:
    async with start_gateway(has_tracing=True, max_concurrency=1) as gateway:
        first = asyncio.create_task(gateway.http.post("/v1/classify", json={"text": "wait"}))
        await asyncio.sleep(0.2)
        refused = await gateway.http.post("/v1/classify", json={"text": "a"})
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert refused.status_code == 429
    (span,) = [each for each in collector.named(names.ADMISSION) if "error.type" in each.attributes]
    assert span.attributes["error.type"] == refused.json()["code"]
    assert not span.is_error


async def test_retry_and_fallback_are_calls_of_their_own_with_pool_and_endpoint(
    collector: Collector,
) -> None:
    async with run_triton() as first, run_triton() as second:
        endpoints = (first.url, second.url)
        async with run_gateway(first, has_tracing=True, triton_cpu_endpoints=endpoints) as gateway:
            for each in (first, second):
                each.failure = (grpc.StatusCode.UNAVAILABLE, "gone")
            answer = await gateway.http.post("/v1/classify", json={"text": "a"})
            assert answer.status_code == 503
        (stage,) = collector.named(names.TRITON)
        calls = collector.named(names.INFER)
        assert [each.attributes["diptych.attempt"] for each in calls] == [1, 2]
        assert "diptych.attempt.reason" not in calls[0].attributes
        assert calls[1].attributes["diptych.attempt.reason"] == "backend_unavailable"
        assert {each.attributes["server.port"] for each in calls} == {first.port, second.port}
        assert {each.attributes["diptych.pool"] for each in calls} == {"cpu"}
        assert {each.parent_id for each in calls} == {stage.span_id}
        sent = [each["traceparent"].split("-")[2] for each in first.metadata + second.metadata]
        assert sorted(sent) == sorted(each.span_id for each in calls)


async def test_probes_have_no_spans(traced: RunningGateway, collector: Collector) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        await traced.http.get(path)
    await traced.http.get("/v1/models")
    assert (await collector.trace(1)).keys() == {"GET /v1/models"}


async def test_spans_hold_nothing_that_a_caller_sent_but_the_request_id(
    collector: Collector, start_gateway: StartGateway
) -> None:
    secret = "hunter2"
    async with start_gateway(has_tracing=True) as gateway:
        headers = {"x-api-key": f"{secret}-key", "authorization": f"Bearer {secret}"}
        headers |= {"user-agent": secret, "baggage": f"user={secret}", "cookie": secret}
        ask = gateway.http.request
        await ask("POST", f"/v1/classify?q={secret}", json={"text": secret}, headers=headers)
        await ask("POST", "/v1/classify", json={"text": secret, "variant": f"{secret}-variant"})
        await ask("POST", "/v1/classify", json={"text": "stub died"})
        await ask("GET", f"/v1/{secret}?q={secret}")
        await ask(secret.upper(), "/v1/classify")
        await ask("POST", "/v1/classify", files={"image": (secret, secret.encode())})
        await gateway.grpc.Classify(
            classify_pb2.ClassifyRequest(text=secret), metadata=(("x-api-key", secret),)
        )
    sent = b"".join(collector.raw).lower()
    assert len(collector.spans) > 20
    assert b"hunter2" not in sent
    assert b"secret-library" not in sent  # Triton's own words
    assert {key for each in collector.spans for key in each.attributes} <= names.ATTRIBUTES.keys()


async def test_caller_without_a_key_ends_in_a_span_over_rest_grpc_and_a_stream(
    collector: Collector, start_gateway: StartGateway, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    key = keys.add("shop")
    async with start_gateway(has_tracing=True, api_keys_file=keys.path) as gateway:
        await gateway.http.post("/v1/classify", json={"text": "a"})
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="a"))
        with pytest.raises(grpc.aio.AioRpcError):
            _ = [each async for each in gateway.grpc.ClassifyStream(iter(()))]
    assert [each.attributes["error.type"] for each in collector.spans] == ["key_missing"] * 3
    assert not any(each.is_error for each in collector.spans)
    assert key.encode() not in b"".join(collector.raw)


async def test_labels_of_a_request_are_embedded_within_a_stage(
    collector: Collector, start_gateway: StartGateway, triton: FakeTriton
) -> None:
    triton.repository |= make_dual_repository()
    async with start_gateway(has_tracing=True) as gateway:
        body = {"text": "a", "labels": ["b", "c"]}
        assert (await gateway.http.post("/v1/classify", json=body)).status_code == 200
    (labels,), (stage,) = collector.named(names.LABELS), collector.named(names.TRITON)
    calls = [each.parent_id for each in collector.named(names.INFER)]
    assert calls == [labels.span_id, labels.span_id, stage.span_id]


async def test_off_sends_no_context_to_triton_and_writes_none(
    gateway: RunningGateway, triton: FakeTriton, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await gateway.http.post("/v1/classify", json={"text": "a"}, headers={"traceparent": SAMPLED})
    assert "traceparent" not in triton.metadata[0]
    fields = [each for each in caplog.records if each.name == "gateway.access"]
    assert fields
    assert TRACE_ID not in json.dumps([getattr(each, "event_fields", {}) for each in fields])
