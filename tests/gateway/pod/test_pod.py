"""A parent and its workers as real processes, before a server that speaks Triton's protocol."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import httpx
import psutil
import pytest

from gateway.api.proto.diptych.v1 import classify_pb2, classify_pb2_grpc
from tests.gateway.conftest import eventually
from tests.gateway.pod.pods import WORKERS, RunningPod, running_pod, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def load(
    pod: RunningPod, clients: int
) -> AsyncIterator[tuple[list[int], list[httpx.TransportError]]]:
    """Sends one after the other on each of some connections, until no more are accepted."""
    statuses: list[int] = []
    errors: list[httpx.TransportError] = []
    is_over = False

    async def send() -> None:
        async with pod.client() as http:
            while not is_over:
                try:
                    statuses.append(
                        (await http.post("/v1/classify", json={"text": "a"})).status_code
                    )
                except httpx.ConnectError:  # no longer accepted
                    return
                except httpx.TransportError as error:
                    errors.append(error)

    tasks = [asyncio.create_task(send()) for _ in range(clients)]
    try:
        yield statuses, errors
    finally:
        is_over = True
        await asyncio.gather(*tasks)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_pod_worker_killed_under_load_costs_its_own_requests_and_is_replaced(
    triton: FakeTriton,
) -> None:
    clients = 8
    async with running_pod(triton) as pod:
        async with load(pod, clients) as (statuses, errors):
            await eventually(lambda: len(statuses) > 100, 20)
            assert not errors
            first_pids = dict(pod.pids)
            os.kill(first_pids[0], signal.SIGKILL)
            await eventually(lambda: len(pod.find("worker_started")) == WORKERS + 1, 20)
            answered = len(statuses)
            await eventually(lambda: len(statuses) > answered + 100, 20)
        # Each connection to that worker had one request in flight at most.
        assert len(errors) <= clients
        assert set(statuses) == {200}
        assert pod.pids[0] != first_pids[0]
        assert pod.pids[1] == first_pids[1]
        assert pod.find("worker_ended")[0]["status"] == -signal.SIGKILL

        # Whichever worker is asked: what the dead one counted counts, what it held does not.
        counted = await pod.metric("diptych_gateway_requests_total", 'route="/v1/classify"')
        # It may have answered and not yet counted, or counted and not yet answered.
        assert abs(counted - len(statuses)) <= len(errors)
        assert await pod.metric("diptych_gateway_workers") == WORKERS
        assert await pod.metric("diptych_gateway_worker_starts_total") == WORKERS + 1
        assert await pod.metric("diptych_gateway_in_flight_requests") == 0
        assert await pod.metric("diptych_gateway_triton_up") == 1


async def test_pod_sigterm_under_load_answers_every_accepted_request_and_exits_0(
    triton: FakeTriton,
) -> None:
    async with running_pod(triton) as pod:
        async with load(pod, 4) as (statuses, errors):
            await eventually(lambda: len(statuses) > 50, 20)
            pod.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(pod.process.wait(), 15) == 0
        assert set(statuses) == {200}
    # Every request that a worker read. A client that connects at the very end and is slow to send
    # finds its connection closed, as any idle one.
    assert len(pod.find("request")) == len(statuses)
    assert len(errors) <= 4
    assert pod.events[-1]["event"] == "stopped"
    assert len(pod.find("draining")) == WORKERS


async def test_pod_shows_in_flight_and_limit_of_all_workers_over_both_apis(
    triton: FakeTriton,
) -> None:
    async with running_pod(triton) as pod:
        grpc_port = pod.find("started")[0]["grpc_port"]
        async with pod.client() as http:
            posts = [
                asyncio.create_task(http.post("/v1/classify", json={"text": "wait"}))
                for _ in range(3)
            ]
            async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
                stub = classify_pb2_grpc.ClassifierStub(channel)
                call = stub.Classify(classify_pb2.ClassifyRequest(text="wait"))
                await eventually(lambda: triton.running == 4)
                assert await pod.metric("diptych_gateway_in_flight_requests") == 4
                assert await pod.metric("diptych_gateway_concurrency_limit") == 16
                triton.release.set()
                assert (await call).label
            assert [(await post).status_code for post in posts] == [200, 200, 200]


async def test_pod_parent_killed_takes_its_workers_along(triton: FakeTriton) -> None:
    async with running_pod(triton) as pod:
        pod.process.kill()
        await eventually(lambda: not any(map(is_running, pod.pids.values())), 20)


async def test_pod_second_signal_cuts_the_end_short(triton: FakeTriton) -> None:
    async with running_pod(triton, drain_delay_s=60) as pod:
        pod.process.send_signal(signal.SIGINT)
        await eventually(lambda: len(pod.find("draining")) == WORKERS)
        pod.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(pod.process.wait(), 10) == 130


async def test_pod_worker_that_cannot_start_ends_all_and_says_why(
    triton: FakeTriton, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text("not = [toml")
    pod = await start(triton, asyncio.subprocess.PIPE, api_keys_file=keys)
    _, errors = await asyncio.wait_for(pod.process.communicate(), 30)
    assert pod.process.returncode == 1
    assert b"keys.toml" in errors
    assert b"before it served" in errors
    assert b"Traceback" not in errors


async def test_pod_worker_takes_feedback_for_what_another_answered(
    triton: FakeTriton, tmp_path: Path
) -> None:
    async with running_pod(triton, database_url=f"sqlite:///{tmp_path / 'pod.sqlite3'}") as pod:
        async with pod.client() as http:
            answers = [await http.post("/v1/classify", json={"text": "a"}) for _ in range(4)]
        statuses = []
        for answer in answers * 3:
            async with pod.client() as http:  # a connection of its own, to whichever worker
                body = {"prediction_id": answer.json()["prediction_id"], "label": "food"}
                statuses.append((await http.post("/v1/feedback", json=body)).json()["status"])
        items = await pod.metric("diptych_gateway_feedback_items_total")
    assert sorted(set(statuses)) == ["recorded", "unchanged"]
    assert (statuses.count("recorded"), items) == (4, 12)
