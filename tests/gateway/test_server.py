from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.gateway.conftest import RunningGateway, StartGateway, eventually

if TYPE_CHECKING:
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio


async def readiness(gateway: RunningGateway) -> tuple[int, list[str]]:
    response = await gateway.http.get("/readyz")
    return response.status_code, response.json()["reasons"]


async def wait_for_readiness(gateway: RunningGateway, expected: tuple[int, list[str]]) -> None:
    async with asyncio.timeout(5):
        while await readiness(gateway) != expected:  # noqa: ASYNC110 - the server has no event
            await asyncio.sleep(0.02)


async def test_triton_gone_and_back_is_503_then_answers_without_restart(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    assert await readiness(gateway) == (200, [])
    await triton.stop()
    response = await gateway.http.post("/v1/classify", json={"text": "a"})
    assert response.status_code == 503
    assert response.json()["code"] == "backend_unavailable"
    assert int(response.headers["retry-after"]) >= 1
    await wait_for_readiness(gateway, (503, ["triton_not_ready"]))
    assert (await gateway.http.get("/livez")).status_code == 200
    assert len((await gateway.http.get("/v1/models")).json()["models"]) == 1
    async with asyncio.timeout(5):  # readiness asks Triton itself, the metric is of the last look
        while "triton_up 0.0" not in (await gateway.http.get("/metrics")).text:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await triton.start(triton.port)
    await wait_for_readiness(gateway, (200, []))
    assert (await gateway.http.post("/v1/classify", json={"text": "a"})).status_code == 200


async def test_readyz_without_a_routed_variant_says_so(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    triton.repository = {"encoder": None}
    async with start_gateway() as gateway:
        assert await readiness(gateway) == (503, ["no_variant_routed"])
        response = await gateway.http.post("/v1/classify", json={"text": "a"})
        assert (response.status_code, response.json()["code"]) == (503, "variant_unavailable")


async def test_start_before_triton_becomes_ready_when_it_is(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    await triton.stop()
    async with start_gateway() as gateway:
        assert (await readiness(gateway))[0] == 503
        await triton.start(triton.port)
        await wait_for_readiness(gateway, (200, []))


async def test_drain_takes_readiness_away_and_answers_what_is_in_flight(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with start_gateway(drain_delay_s=0.3) as gateway:
        pending = asyncio.create_task(gateway.http.post("/v1/classify", json={"text": "wait"}))
        await eventually(lambda: triton.running == 1)
        gateway.stop.set()
        await wait_for_readiness(gateway, (503, ["draining"]))
        late = await gateway.http.post("/v1/classify", json={"text": "a"})
        assert late.status_code == 200
        assert late.headers["connection"] == "close"
        await asyncio.sleep(0.4)
        with pytest.raises(httpx.ConnectError):
            await gateway.http.get("/livez")
        triton.release.set()
        assert (await pending).status_code == 200


async def test_drain_past_its_time_cancels_what_is_left(
    start_gateway: StartGateway, triton: FakeTriton
) -> None:
    async with start_gateway(drain_timeout_s=0.2) as gateway:
        pending = asyncio.create_task(gateway.http.post("/v1/classify", json={"text": "wait"}))
        await eventually(lambda: triton.running == 1)
        gateway.stop.set()
        async with asyncio.timeout(5):
            await gateway.serving
        await eventually(lambda: triton.cancelled == 1)
        await asyncio.gather(pending, return_exceptions=True)


async def start_process(**settings: str) -> asyncio.subprocess.Process:
    environment = {f"DIPTYCH_GATEWAY_{key.upper()}": value for key, value in settings.items()}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def read_events(process: asyncio.subprocess.Process, until: str) -> list[dict[str, Any]]:
    assert process.stdout is not None
    events: list[dict[str, Any]] = []
    while not events or events[-1]["event"] != until:
        events.append(json.loads(await asyncio.wait_for(process.stdout.readline(), 20)))
    return events


async def test_sigterm_under_load_answers_every_accepted_request_and_exits_0(
    triton: FakeTriton,
) -> None:
    process = await start_process(
        http_port="0",
        grpc_port="0",
        triton_grpc_url=triton.url,
        drain_delay_s="0.2",
        access_log_success_ratio="1",
    )
    started = (await read_events(process, "started"))[-1]
    reading = asyncio.create_task(read_events(process, "stopped"))
    statuses: list[int] = []
    refused: list[str] = []

    async def client() -> None:
        async with httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(verify=False),
            base_url=f"http://127.0.0.1:{started['http_port']}",
        ) as http:
            # A busy machine may have been too slow for the first look at Triton.
            while (await http.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
            while True:
                try:
                    response = await http.post("/v1/classify", json={"text": "a"})
                except httpx.ConnectError:  # no longer accepted, which is what it should say
                    return
                statuses.append(response.status_code)
                if response.status_code != 200:
                    refused.append(response.text)

    clients = [asyncio.create_task(client()) for _ in range(4)]
    await eventually(lambda: len(statuses) > 50)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        await asyncio.gather(*clients)
        events = await reading
        assert await process.wait() == 0
    assert refused == []
    assert [each["event"] for each in events if each["event"] != "request"] == [
        "draining",
        "stopped",
    ]
    logged = [each for each in events if each["event"] == "request"]
    assert {"request_id", "route", "code", "duration_ms", "variant"} <= set(logged[0])


async def test_taken_port_is_one_sentence_and_exit_1(triton: FakeTriton) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await start_process(
            http_port=str(taken.getsockname()[1]), grpc_port="0", triton_grpc_url=triton.url
        )
        _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert b"DIPTYCH_GATEWAY_HTTP_HOST" in errors
    assert b"Traceback" not in errors


async def test_wrong_settings_are_all_named_and_exit_2() -> None:
    process = await start_process(http_prot="1", max_text_chars="0")
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert b"'DIPTYCH_GATEWAY_HTTP_PORT'" in errors
    assert b"DIPTYCH_GATEWAY_MAX_TEXT_CHARS" in errors
