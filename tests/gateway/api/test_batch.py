# ruff: noqa: ANN401 - JSON
from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from gateway.api.schemas import BatchAnswer
from tests.gateway.api.problem import assert_problem
from tests.gateway.conftest import RunningGateway, eventually
from tests.gateway.fake_triton import BROKEN_IMAGE, FakeTriton

pytestmark = pytest.mark.anyio

BASE64 = base64.b64encode(b"\xff\xd8 some jpeg").decode()


async def test_batch_bad_items_fail_alone_and_order_is_kept(shared_gateway: RunningGateway) -> None:
    items = [
        {"text": "a"},
        {"image": base64.b64encode(BROKEN_IMAGE).decode()},
        {"image": BASE64},
        {"txt": "a"},
        {"image": "!"},
        7,
        {"text": "queue full"},
        {"text": "a", "variant": "no such"},
    ]
    response = await shared_gateway.http.post("/v1/classify:batch", json={"items": items})
    assert response.status_code == 200, response.text
    answer = response.json()
    BatchAnswer.model_validate(answer)
    outcomes = [
        each["problem"]["code"] if "problem" in each else each["result"]["modalities"]
        for each in answer["items"]
    ]
    assert outcomes == [
        ["text"],
        "image_undecodable",
        ["image"],
        "field_unknown",
        "image_not_base64",
        "json_not_object",
        "overloaded",
        "variant_unknown",
    ]


async def test_batch_items_run_side_by_side(gateway: RunningGateway, triton: FakeTriton) -> None:
    batch = asyncio.create_task(
        gateway.http.post("/v1/classify:batch", json={"items": [{"text": "wait"}] * 8})
    )
    await eventually(lambda: triton.running == 8)
    triton.release.set()
    assert (await batch).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"items": [{"text": "a"}] * 33}, 413, "too_many_items"),
        ({"items": []}, 400, "field_invalid"),
        ({"item": [{"text": "a"}]}, 400, "field_invalid"),
        ({}, 400, "field_invalid"),
    ],
)
async def test_batch_wrong_envelope_is_a_problem(
    shared_gateway: RunningGateway, body: Any, status: int, code: str
) -> None:
    assert_problem(await shared_gateway.http.post("/v1/classify:batch", json=body), status, code)
