"""A parent and its workers as real processes, for tests to ask and to disturb."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.gateway.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.fake_triton import FakeTriton

WORKERS = 2


@dataclass
class RunningPod:
    process: asyncio.subprocess.Process
    events: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.events.append(json.loads(line))

    def find(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["event"] == event]

    @property
    def port(self) -> int:
        return int(self.find("started")[0]["http_port"])

    @property
    def pids(self) -> dict[int, int]:
        """Process id by number of the worker."""
        return {each["worker"]: each["pid"] for each in self.find("worker_started")}

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            transport=httpx.AsyncHTTPTransport(verify=False),
            timeout=10,
        )

    async def metric(self, name: str, label: str = "") -> float:
        """Sum of the samples of a metric that have a label."""
        async with self.client() as http:
            text = (await http.get("/metrics")).text
        samples = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for labels, value in samples if label in labels)


async def start(triton: FakeTriton, stderr: int | None, **settings: object) -> RunningPod:
    given: dict[str, object] = {
        "workers": WORKERS, "http_port": 0, "grpc_port": 0, "triton_grpc_url": triton.url,
        "drain_delay_s": 0.2, "request_budget_ms": 10_000, "has_coalescing": False,
        "access_log_success_ratio": 1, **settings,
    }  # fmt: skip
    environment = {f"DIPTYCH_GATEWAY_{key.upper()}": str(value) for key, value in given.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )
    return RunningPod(process)


@asynccontextmanager
async def running_pod(triton: FakeTriton, **settings: object) -> AsyncIterator[RunningPod]:
    pod = await start(triton, None, **settings)
    reading = asyncio.create_task(pod.read())
    try:
        await eventually(lambda: bool(pod.find("started")), 30)
        yield pod
    finally:
        if pod.process.returncode is None:
            pod.process.terminate()
        await asyncio.wait_for(pod.process.wait(), 20)
        await reading
