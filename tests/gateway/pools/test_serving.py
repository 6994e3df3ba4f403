"""Gateways in front of several fake Tritons, some of which fail: what callers get."""

# ruff: noqa: ANN401 - JSON
from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from tritonclient.grpc import model_config_pb2

from gateway.api.proto.diptych.v1 import classify_pb2
from tests.gateway.conftest import RunningGateway, eventually, run_gateway, run_triton
from tests.gateway.manifests import make_repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

GPU_REPOSITORY: dict[str, str | None] = {**make_repository(digest="9" * 64, expected_device="gpu")}


@asynccontextmanager
async def serving(
    gpu: int = 0, cpu: int = 0, **changes: object
) -> AsyncIterator[tuple[RunningGateway, list[FakeTriton], list[FakeTriton]]]:
    """A gateway and its fakes: those of the GPU pool, those of the CPU pool."""
    async with AsyncExitStack() as stack:
        gpus = [await stack.enter_async_context(run_triton()) for _ in range(gpu)]
        cpus = [await stack.enter_async_context(run_triton()) for _ in range(cpu)]
        for each in gpus:
            each.repository = dict(GPU_REPOSITORY)
        gateway = await stack.enter_async_context(
            run_gateway(
                (gpus + cpus)[0],
                triton_gpu_endpoints=tuple(each.url for each in gpus),
                triton_cpu_endpoints=tuple(each.url for each in cpus),
                **changes,
            )
        )
        yield gateway, gpus, cpus


async def ask(
    gateway: RunningGateway, *, variant: str = "demo", headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    body = {"text": "a", "variant": variant}
    response = await gateway.http.post("/v1/classify", json=body, headers=headers)
    return response.status_code, response.json()


async def ask_until(
    gateway: RunningGateway, holds: Callable[[int, Any], bool], variant: str = "demo"
) -> Any:
    async with asyncio.timeout(10):
        while True:
            status, body = await ask(gateway, variant=variant)
            if holds(status, body):
                return body
            await asyncio.sleep(0.01)


async def metric(gateway: RunningGateway, name: str) -> dict[str, float]:
    """Samples of one metric, by their labels as they are written."""
    lines = (await gateway.http.get("/metrics")).text.splitlines()
    samples = (line.rpartition(" ") for line in lines if line.startswith(name + "{"))
    return {labels.removeprefix(name): float(value) for labels, _, value in samples}


async def test_requests_are_spread_over_the_servers_of_a_pool() -> None:
    async with serving(cpu=3) as (gateway, _, cpus):
        answers = []
        for _ in range(5):
            answers += await asyncio.gather(*(ask(gateway) for _ in range(12)))
        assert {status for status, _ in answers} == {200}
        assert {(body["pool"], body["degraded"]) for _, body in answers} == {("cpu", None)}
        # Of 60 each gets 20; five deviations of a binomial are 18, and the choice does better.
        assert all(len(each.requests) >= 2 for each in cpus)


async def test_gpu_pool_is_asked_first_and_the_cpu_pool_when_it_is_gone() -> None:
    async with serving(gpu=1, cpu=1) as (gateway, gpus, _):
        status, body = await ask(gateway)
        assert (status, body["pool"], body["degraded"]) == (200, "gpu", None)
        assert body["digest"] == "9" * 64
        await gpus[0].stop()
        status, body = await ask(gateway)
        # The first that finds the connection broken is tried again; later ones know better.
        assert (status, body["pool"]) == (200, "cpu")
        assert body["degraded"] in {"gpu_pool_failed", "gpu_pool_unhealthy"}
        assert body["digest"] == "a" * 64

        await ask_until(gateway, lambda _, body: body["degraded"] == "gpu_pool_unhealthy")
        answers = await metric(gateway, "diptych_gateway_pool_answers_total")
        assert answers['{degraded="none",pool="gpu"}'] == 1
        assert answers['{degraded="gpu_pool_unhealthy",pool="cpu"}'] >= 1

        await gpus[0].start(gpus[0].port)
        await ask_until(gateway, lambda _, body: body["pool"] == "gpu")


async def test_variant_that_the_gpu_pool_lacks_is_answered_by_the_cpu_pool() -> None:
    async with serving(gpu=1, cpu=1) as (gateway, _, cpus):
        cpus[0].repository |= make_repository(variant="other", digest="d" * 64)
        body = await ask_until(gateway, lambda status, _: status == 200, variant="other")
        assert (body["pool"], body["degraded"]) == ("cpu", "variant_not_in_gpu_pool")


async def test_server_that_fails_is_covered_by_another_and_ejected() -> None:
    async with serving(cpu=3) as (gateway, _, cpus):
        cpus[0].failure = (grpc.StatusCode.INTERNAL, "Stub process 'm' is not healthy")
        statuses = Counter([(await ask(gateway))[0] for _ in range(30)])
        assert statuses == {200: 30}
        assert len(cpus[0].requests) < 10  # three, then a trial now and then
        ejections = await metric(gateway, "diptych_gateway_endpoint_ejections_total")
        assert ejections['{cause="failures",pool="cpu"}'] >= 1
        retries = await metric(gateway, "diptych_gateway_retries_total")
        assert retries['{pool="cpu",reason="backend_failure"}'] >= 3


async def test_black_hole_costs_no_answer_and_no_deadline() -> None:
    async with serving(cpu=3, request_budget_ms=1_000) as (gateway, _, cpus):
        for _ in range(30):  # so that it is known how long answers take
            await ask(gateway)
        cpus[1].is_silent = True
        begun_s = time.perf_counter()
        answers = await asyncio.gather(*(ask(gateway) for _ in range(12)))
        assert {status for status, _ in answers} == {200}
        # The budget is not waited for: silence is strange after 50 ms here.
        assert time.perf_counter() - begun_s < 0.9
        assert sum((await metric(gateway, "diptych_gateway_retries_total")).values()) >= 1
        cpus[1].is_silent = False


async def test_black_hole_is_found_by_looks_without_traffic() -> None:
    async with serving(cpu=2, catalog_refresh_s=0.05) as (gateway, _, cpus):
        cpus[0].is_silent = True
        async with asyncio.timeout(8):
            while "not_ready" not in str(  # noqa: ASYNC110 - what is waited for is in a server
                await metric(gateway, "diptych_gateway_endpoint_state")
            ):
                await asyncio.sleep(0.05)
        # The other is looked at as often as ever, and readiness stays.
        assert (await gateway.http.get("/readyz")).status_code == 200
        cpus[0].is_silent = False


async def test_input_fault_is_not_tried_again() -> None:
    async with serving(cpu=2) as (gateway, _, cpus):
        response = await gateway.http.post("/v1/classify", files={"image": b"not an image"})
        assert response.status_code == 422
        assert sum(len(each.requests) for each in cpus) == 1


async def test_request_without_time_for_another_try_is_not_tried_again() -> None:
    async with serving(cpu=2) as (gateway, _, cpus):
        for each in cpus:
            each.delay_s = 0.3
        for _ in range(4):
            await ask(gateway)
        for each in cpus:
            each.requests.clear()
            each.failure = (grpc.StatusCode.INTERNAL, "failed")
        # One failure takes 0.3 s; another try would take as long again.
        status, _ = await ask(gateway, headers={"diptych-deadline-ms": "450"})
        assert status == 500
        assert sum(len(each.requests) for each in cpus) == 1
        withheld = await metric(gateway, "diptych_gateway_retries_withheld_total")
        assert withheld['{pool="cpu",reason="deadline"}'] == 1


async def test_all_servers_failing_is_answered_with_the_failure_and_few_retries() -> None:
    async with serving(cpu=3) as (gateway, _, cpus):
        for each in cpus:
            each.failure = (grpc.StatusCode.UNAVAILABLE, "Socket closed")
        statuses = Counter([(await ask(gateway))[0] for _ in range(40)])
        assert statuses == {503: 40}
        # Three tries each would be 120; breakers and the budget keep it well below that.
        assert sum(len(each.requests) for each in cpus) < 40


async def test_endpoint_with_another_digest_answers_with_what_it_has() -> None:
    async with serving(cpu=2) as (gateway, _, cpus):
        cpus[0].repository = {**make_repository(digest="e" * 64)}
        await ask_until(gateway, lambda _, body: body["digest"] == "e" * 64)
        await ask_until(gateway, lambda _, body: body["digest"] == "a" * 64)


async def test_variant_for_the_cpu_is_refused_in_the_gpu_pool() -> None:
    async with serving(gpu=1) as (gateway, gpus, _):
        gpus[0].repository = {**make_repository()}
        # Unknown by its old model names at first, then refused.
        async with asyncio.timeout(5):
            while True:
                models = (await gateway.http.get("/v1/models")).json()
                if models["not_routed"]:
                    break
                await asyncio.sleep(0.02)
        assert {each["reason"] for each in models["not_routed"]} == {"device_unexpected"}
        assert (await ask(gateway))[0] == 503


async def test_model_for_the_gpu_that_fell_back_to_the_cpu_is_refused() -> None:
    kinds = model_config_pb2.ModelInstanceGroup
    async with serving(gpu=1) as (gateway, gpus, _):
        gpus[0].native_kind = kinds.KIND_GPU
        await asyncio.sleep(0.2)
        assert (await ask(gateway))[0] == 200
        gpus[0].native_kind = kinds.KIND_CPU
        await ask_until(gateway, lambda status, _: status == 503)


async def test_gpu_pool_that_is_full_spills_into_the_cpu_pool() -> None:
    async with serving(gpu=1, cpu=1, max_concurrency=2, has_coalescing=False) as (gateway, gpus, _):
        gpus[0].delay_s = 0.5
        held = [asyncio.create_task(ask(gateway)) for _ in range(2)]
        await eventually(lambda: gpus[0].running == 2)
        status, body = await ask(gateway)
        assert (status, body["pool"], body["degraded"]) == (200, "cpu", "spill")
        assert [(await task)[1]["pool"] for task in held] == ["gpu", "gpu"]


@pytest.mark.parametrize("transport", ["rest", "grpc"])
async def test_full_pools_answer_from_one_input_whoever_allows_it(transport: str) -> None:
    async with serving(
        cpu=1, max_concurrency=4, has_coalescing=False, brown_out_max_calibration_error=0.05
    ) as (gateway, _, cpus):
        cpus[0].delay_s = 0.5
        held = [asyncio.create_task(ask(gateway)) for _ in range(4)]
        await eventually(lambda: cpus[0].running == 4)
        assert (await ask(gateway, headers={"diptych-allow-degraded": "false"}))[0] == 429
        # It has one input alone: nothing can be left out.
        assert (await ask(gateway, headers={"diptych-allow-degraded": "true"}))[0] == 429
        if transport == "rest":
            response = await gateway.http.post(
                "/v1/classify",
                files={"image": b"an image"},
                data={"text": "a"},
                headers={"diptych-allow-degraded": "true"},
            )
            body = response.json()
            assert (body["modalities"], body["degraded"]) == (["text"], "brown_out")
        else:
            answer = await gateway.grpc.Classify(
                classify_pb2.ClassifyRequest(image=b"an image", text="a", allow_degraded=True)
            )
            assert list(answer.modalities) == [classify_pb2.MODALITY_TEXT]
            assert (answer.pool, answer.degraded) == ("cpu", "brown_out")
        assert {(await task)[0] for task in held} == {200}


async def test_allow_degraded_that_is_neither_true_nor_false_is_refused() -> None:
    async with serving(cpu=1) as (gateway, _, _cpus):
        status, body = await ask(gateway, headers={"diptych-allow-degraded": "maybe"})
        assert (status, body["field"]) == (400, "Diptych-Allow-Degraded")
