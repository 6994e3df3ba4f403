"""Reuse as callers see it, over both APIs, in front of a server that speaks Triton's protocol."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from gateway.api.proto.diptych.v1 import classify_pb2
from tests.gateway.conftest import RunningGateway, StartGateway, eventually
from tests.gateway.key_files import Keys

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

WAIT = {"text": "wait"}


async def reuse_counts(gateway: RunningGateway) -> dict[str, float]:
    text = (await gateway.http.get("/metrics")).text
    found = re.findall(r'answer_reuse_total\{event="(\w+)"\} (\S+)', text)
    return {event: float(count) for event, count in found}


async def post(gateway: RunningGateway, **headers: str) -> httpx.Response:
    return await gateway.http.post("/v1/classify", json=WAIT, headers=headers)


async def test_equal_requests_over_both_apis_are_one_computation(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with start_gateway(has_coalescing=True) as gateway:
        rest = [asyncio.create_task(post(gateway)) for _ in range(3)]
        await eventually(lambda: triton.running == 1)
        call = gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="wait", top_k=1))
        async with asyncio.timeout(5):
            while sum((await reuse_counts(gateway)).values()) < 4:  # noqa: ASYNC110 - in a server
                await asyncio.sleep(0.01)
        triton.release.set()
        answers = [(await task).json() for task in rest]
        message = await call
        assert len(triton.requests) == 1
        assert sorted(each["source"] for each in answers) == ["coalesced", "coalesced", "computed"]
        assert message.source == classify_pb2.SOURCE_COALESCED
        assert len(message.top_k) == 1  # what is shared is the computation, not the answer
        ids = {each["prediction_id"] for each in answers} | {message.prediction_id}
        assert len(ids) == 4
        for answer in answers:
            is_own = answer["source"] == "computed"
            assert (answer["timings_ms"]["tokenise"] is not None) == is_own
            assert (answer["batch_sizes"]["text_encoder"] is not None) == is_own
        assert await reuse_counts(gateway) == {"miss": 1, "joined": 3}


async def test_requests_of_two_keys_are_two_computations(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    headers = [{"x-api-key": keys.add(key_id)} for key_id in ("one", "two")]
    async with start_gateway(has_coalescing=True, api_keys_file=keys.path) as gateway:
        tasks = [asyncio.create_task(post(gateway, **each)) for each in headers]
        await eventually(lambda: triton.running == 2)
        triton.release.set()
        assert {(await task).json()["source"] for task in tasks} == {"computed"}


async def test_caller_who_leaves_cancels_only_when_last(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with start_gateway(has_coalescing=True) as gateway:
        first = asyncio.create_task(post(gateway))
        await eventually(lambda: triton.running == 1)
        call = gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="wait"))
        async with asyncio.timeout(5):
            while (await reuse_counts(gateway)).get("joined") != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await asyncio.sleep(0.1)
        assert (triton.running, triton.cancelled) == (1, 0)
        call.cancel()
        await eventually(lambda: triton.cancelled == 1)


async def test_cache_answers_again_without_triton_and_says_so(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with start_gateway(answer_cache_bytes=1_000_000) as gateway:
        body = {"text": "a"}
        computed, cached = [
            (await gateway.http.post("/v1/classify", json=body)).json() for _ in range(2)
        ]
        assert (computed["source"], cached["source"]) == ("computed", "cached")
        assert len(triton.requests) == 1
        assert cached["top_k"] == computed["top_k"]
        assert cached["prediction_id"] != computed["prediction_id"]
        assert cached["timings_ms"]["text_encoder"] is None
        assert await reuse_counts(gateway) == {"miss": 1, "hit": 1}


async def test_errors_are_never_cached(start_gateway: StartGateway, triton: FakeTriton) -> None:
    async with start_gateway(answer_cache_bytes=1_000_000) as gateway:
        for _ in range(2):
            response = await gateway.http.post("/v1/classify", json={"text": "queue full"})
            assert response.status_code == 503
        assert len(triton.requests) == 2
