# ruff: noqa: ANN401 - JSON and untyped protocol messages
from __future__ import annotations

import asyncio
import base64
import json
import math
from typing import Any

import pytest

from gateway.api.schemas import ClassifyAnswer, ModelsAnswer
from tests.gateway.api.problem import assert_problem
from tests.gateway.conftest import RunningGateway, StartGateway, eventually
from tests.gateway.fake_triton import BROKEN_IMAGE, IMAGE_TRACE, TEXT_TRACE, FakeTriton
from tests.gateway.manifests import DIGEST, LABELS, LINEAGE, make_repository

pytestmark = pytest.mark.anyio

IMAGE = b"\xff\xd8 some jpeg \r\n--\x00\xff" * 100
BASE64 = base64.b64encode(IMAGE).decode()


async def test_classify_multipart_image_and_text_answers_calibrated_ranking(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    response = await gateway.http.post(
        "/v1/classify",
        files={"image": ("a.jpg", IMAGE, "image/jpeg")},
        data={"text": "a red heart é", "top_k": "2"},
    )
    assert response.status_code == 200, response.text
    answer = response.json()
    ClassifyAnswer.model_validate(answer)
    # The fake's logits are 0, 1, 2 and the manifest's temperature is 2.
    odds = [math.exp(logit / 2) for logit in range(3)]
    assert answer["label"] == LABELS[2]
    assert answer["score"] == pytest.approx(odds[2] / sum(odds), rel=1e-6)
    assert [each["label"] for each in answer["top_k"]] == [LABELS[2], LABELS[1]]
    assert answer["modalities"] == ["image", "text"]
    assert (answer["variant"], answer["digest"]) == ("demo", DIGEST)
    assert answer["batch_sizes"] == {"image_encoder": IMAGE_TRACE[2], "text_encoder": TEXT_TRACE[2]}
    timings = answer["timings_ms"]
    assert timings["decode"] == IMAGE_TRACE[0] / 1000
    assert timings["text_encoder"] == TEXT_TRACE[1] / 1000
    parts = timings["receive"] + timings["triton"] + timings["respond"]
    assert timings["total"] == pytest.approx(parts, abs=0.01)
    sent = triton.requests[-1].raw_input_contents
    assert [raw[4:] for raw in sent] == [IMAGE, "a red heart é".encode()]


@pytest.mark.parametrize(
    ("body", "modalities"),
    [
        ({"image": BASE64}, ["image"]),
        ({"text": "a red heart"}, ["text"]),
        (
            {"image": BASE64, "text": "a red heart", "variant": "demo", "top_k": 1},
            ["image", "text"],
        ),
    ],
)
async def test_classify_json_uses_what_is_there(
    shared_gateway: RunningGateway, body: dict[str, Any], modalities: list[str]
) -> None:
    response = await shared_gateway.http.post("/v1/classify", json=body)
    assert response.status_code == 200, response.text
    answer = response.json()
    ClassifyAnswer.model_validate(answer)
    assert answer["modalities"] == modalities
    assert (answer["timings_ms"]["decode"] is None) == ("image" not in modalities)
    assert (answer["batch_sizes"]["text_encoder"] is None) == ("text" not in modalities)


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({}, 400, "input_missing", None),
        ({"text": " \n\t "}, 422, "text_empty", "text"),
        ({"text": ""}, 422, "text_empty", "text"),
        ({"image": ""}, 422, "image_empty", "image"),
        ({"image": "no base64!"}, 400, "image_not_base64", "image"),
        ({"image": "data:image/png;base64,AAAA"}, 400, "image_is_data_url", "image"),
        ({"text": 3}, 400, "field_invalid", "text"),
        ({"text": "a", "top_k": 0}, 400, "top_k_out_of_range", "top_k"),
        ({"text": "a", "top_k": 101}, 400, "top_k_out_of_range", "top_k"),
        ({"text": "a", "top_k": "3"}, 400, "field_invalid", "top_k"),
        ({"txt": "a"}, 400, "field_unknown", "txt"),
        ({"text": "a" * 4097}, 413, "text_too_long", "text"),
        ({"text": "a", "variant": "demp"}, 404, "variant_unknown", "variant"),
        ({"text": "a", "variant": ""}, 400, "variant_empty", "variant"),
        ([], 400, "json_not_object", "body"),
        (
            {"image": base64.b64encode(BROKEN_IMAGE).decode()},
            422,
            "image_undecodable",
            "image",
        ),
    ],
)
async def test_classify_bad_json_is_a_problem_that_names_the_field(
    shared_gateway: RunningGateway, body: Any, status: int, code: str, field: str | None
) -> None:
    problem = assert_problem(
        await shared_gateway.http.post("/v1/classify", json=body), status, code
    )
    assert problem.get("field") == field


async def test_classify_unknown_field_names_the_nearest(shared_gateway: RunningGateway) -> None:
    response = await shared_gateway.http.post("/v1/classify", json={"imagge": BASE64})
    assert "'image'" in assert_problem(response, 400, "field_unknown")["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"text": "\\ud800"}', b"\xff", b"[1"])
async def test_classify_broken_json_is_malformed(
    shared_gateway: RunningGateway, body: bytes
) -> None:
    response = await shared_gateway.http.post(
        "/v1/classify", content=body, headers={"content-type": "application/json"}
    )
    assert_problem(response, 400, "json_invalid")


@pytest.mark.parametrize("content_type", ["text/plain", "", "image/jpeg", "multipart/mixed"])
async def test_classify_other_content_type_is_415(
    shared_gateway: RunningGateway, content_type: str
) -> None:
    response = await shared_gateway.http.post(
        "/v1/classify", content=b"x", headers={"content-type": content_type}
    )
    assert_problem(response, 415, "content_type_unsupported")


async def test_classify_image_above_limit_names_limit(start_gateway: StartGateway) -> None:
    async with start_gateway(max_image_bytes=2000) as gateway:
        as_form = await gateway.http.post("/v1/classify", files={"image": b"x" * 2001})
        as_json = await gateway.http.post(
            "/v1/classify", json={"image": base64.b64encode(b"x" * 2001).decode()}
        )
    for response in (as_form, as_json):
        problem = assert_problem(response, 413, "image_too_large")
        assert (problem["field"], problem["limit"]) == ("image", 2000)


async def test_classify_body_above_limit_is_refused_before_it_is_read(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(max_image_bytes=2000) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.ports.http)
        writer.write(
            b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100000000\r\n\r\n"  # and not one byte of it
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()
        await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 413 ")


async def test_classify_chunked_body_above_limit_is_refused(start_gateway: StartGateway) -> None:
    async def endless() -> Any:
        for _ in range(1000):
            yield b" " * 10_000

    async with start_gateway(max_image_bytes=2000) as gateway:
        response = await gateway.http.post(
            "/v1/classify", content=endless(), headers={"content-type": "application/json"}
        )
    assert_problem(response, 413, "body_too_large")


async def test_classify_large_image_reaches_triton_unchanged(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    image = bytes(range(256)) * (9 * 1024 * 4)  # 9 MiB
    assert (await gateway.http.post("/v1/classify", files={"image": image})).status_code == 200
    body = {"image": base64.b64encode(image).decode()}
    assert (await gateway.http.post("/v1/classify", json=body)).status_code == 200
    assert [request.raw_input_contents[0][4:] == image for request in triton.requests] == [True] * 2


@pytest.mark.parametrize(
    ("text", "status", "code", "has_retry_after"),
    [
        ("queue full", 503, "overloaded", True),
        ("queue timeout", 503, "overloaded", True),
        ("not ready", 503, "variant_unavailable", True),
        ("stub died", 500, "backend_failure", False),
        ("nan", 500, "backend_failure", False),
    ],
)
async def test_classify_triton_errors_are_translated_and_hidden(
    shared_gateway: RunningGateway, text: str, status: int, code: str, has_retry_after: bool
) -> None:
    response = await shared_gateway.http.post("/v1/classify", json={"text": text})
    problem = assert_problem(response, status, code)
    assert ("retry-after" in response.headers) == has_retry_after
    assert "secret-library" not in json.dumps(problem)


async def test_classify_past_its_time_is_504(start_gateway: StartGateway) -> None:
    async with start_gateway(request_budget_ms=200) as gateway:
        response = await gateway.http.post("/v1/classify", json={"text": "wait"})
    assert_problem(response, 504, "deadline_exceeded")


async def test_classify_above_concurrency_is_refused_at_once(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with start_gateway(max_concurrency=1) as gateway:
        first = asyncio.create_task(gateway.http.post("/v1/classify", json={"text": "wait"}))
        await eventually(lambda: triton.running == 1)
        response = await gateway.http.post("/v1/classify", json={"text": "a"})
        problem = assert_problem(response, 429, "concurrency_limit")
        assert problem["type"] == "urn:diptych:problem:admission-refused"
        assert problem["retry_after_ms"] > 0
        assert int(response.headers["retry-after"]) * 1000 >= problem["retry_after_ms"]
        triton.release.set()
        assert (await first).status_code == 200


async def test_classify_client_that_leaves_cancels_triton(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    _reader, writer = await asyncio.open_connection("127.0.0.1", gateway.ports.http)
    body = b'{"text": "wait"}'
    writer.write(
        b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    await eventually(lambda: triton.running == 1)
    writer.close()
    await writer.wait_closed()
    await eventually(lambda: triton.cancelled == 1)
    metrics = (await gateway.http.get("/metrics")).text
    assert 'code="499"' in metrics
    assert "diptych_gateway_in_flight_requests 0.0" in metrics


async def test_models_shows_routed_variants_and_reasons(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    triton.repository["broken"] = "{}"
    triton.repository["encoder"] = None

    async def answer() -> Any:
        return (await gateway.http.get("/v1/models")).json()

    async with asyncio.timeout(5):
        models = await answer()
        while not models["not_routed"]:
            models = await answer()
    ModelsAnswer.model_validate(models)
    (model,) = models["models"]
    assert (model["variant"], model["is_default"], tuple(model["labels"])) == ("demo", True, LABELS)
    assert set(model["quality"]) == {"both", "text", "image"}
    assert model["lineage"] is None
    assert models["not_routed"] == [
        {"model": "broken", "reason": "manifest_invalid", "variant": None, "digest": None}
    ]


async def test_models_shows_what_a_variant_was_retrained_from(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    triton.repository |= make_repository(variant="demo-r1", lineage=LINEAGE)

    async with asyncio.timeout(5):
        models = (await gateway.http.get("/v1/models")).json()
        while len(models["models"]) < 2:
            models = (await gateway.http.get("/v1/models")).json()
    ModelsAnswer.model_validate(models)
    shown = {model["variant"]: model for model in models["models"]}
    assert shown["demo-r1"]["lineage"] == LINEAGE.model_dump(mode="json")
    assert shown["demo"]["is_default"]


async def test_unknown_route_and_method_are_problems(shared_gateway: RunningGateway) -> None:
    assert_problem(await shared_gateway.http.get("/nowhere"), 404, "not_found")
    response = await shared_gateway.http.get("/v1/classify")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


async def test_request_id_is_echoed_when_well_formed_else_made(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    mine = await gateway.http.post(
        "/v1/classify", json={"text": "a"}, headers={"x-request-id": "order-66"}
    )
    assert mine.headers["x-request-id"] == "order-66"
    assert triton.requests[-1].id == "order-66"
    odd = await gateway.http.get("/livez", headers={"x-request-id": "a b{"})
    assert odd.headers["x-request-id"] != "a b{"


async def test_metrics_count_requests_and_stages(gateway: RunningGateway) -> None:
    await gateway.http.post("/v1/classify", json={"text": "a", "image": BASE64})
    await gateway.http.post("/v1/classify", json={"text": " "})
    metrics = (await gateway.http.get("/metrics")).text
    assert (
        'diptych_gateway_requests_total{code="200",modalities="both",route="/v1/classify",'
        'variant="demo"} 1.0' in metrics
    )
    assert 'diptych_gateway_input_faults_total{code="text_empty"} 1.0' in metrics
    assert 'diptych_gateway_stage_seconds_count{stage="image_encoder"} 1.0' in metrics
    assert 'diptych_gateway_encoder_batch_size_sum{encoder="image"} 4.0' in metrics
    assert f'diptych_gateway_variant_info{{digest="{DIGEST}",variant="demo"}} 1.0' in metrics


async def test_openapi_documents_bodies_answers_and_problems(
    shared_gateway: RunningGateway,
) -> None:
    page = (await shared_gateway.http.get("/openapi.json")).json()
    classify = page["paths"]["/v1/classify"]["post"]
    assert set(classify["requestBody"]["content"]) == {"multipart/form-data", "application/json"}
    statuses = {"200", "400", "401", "403", "404", "408", "413", "415", "422", "429", "503", "504"}
    assert statuses <= set(classify["responses"])
    assert classify["security"] == [{"ApiKey": []}, {"Bearer": []}]
    assert "security" not in page["paths"]["/readyz"]["get"]
    assert {"/v1/classify:batch", "/v1/models", "/livez", "/readyz", "/metrics"} < set(
        page["paths"]
    )
    text = json.dumps(page)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in page["components"]["schemas"]


async def test_docs_page_shows_routes_and_needs_no_other_host(
    shared_gateway: RunningGateway,
) -> None:
    response = await shared_gateway.http.get("/docs")
    assert "/v1/classify:batch" in response.text
    assert "<script" not in response.text
    assert "//" not in response.text.replace("application/", "")
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


async def test_classify_body_that_never_ends_gives_its_place_back(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway(request_budget_ms=200, max_concurrency=1) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.ports.http)
        writer.write(
            b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"  # and no more of it
        )
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        response = await gateway.http.post("/v1/classify", json={"text": "a"})
        writer.close()
        await writer.wait_closed()
    assert head.startswith(b"HTTP/1.1 408 ")
    assert response.status_code == 200
