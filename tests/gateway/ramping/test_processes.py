"""Two real processes on one database: the leader is killed, a broken candidate rolled back."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest

from deploy.local.triton_server import free_ports
from gateway.ramping.lease import LEASE_S
from tests.gateway.fake_triton import FakeTriton
from tests.gateway.key_files import Keys
from tests.gateway.manifests import make_repository
from tests.gateway.receipts.receipts import write_keys
from tests.gateway.storage.databases import migrate

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.storage.databases import Postgresql

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

EXPERIMENT = "/v1/admin/experiments/heads"
RAMPED = {
    "control": "demo",
    "arms": {"demo": {"weight": 1}, "other": {"weight": 0}},
    "ramp": {"steps": [20, 100]},
}
# A look and a flush a second each, and five failures among a fifth of the requests; five times that
# for a machine that does other things.
ROLLBACK_S = 15.0


class FailingTriton(FakeTriton):
    """Fails every request for a variant.

    Attributes:
        failing: it; None: nothing fails.
    """

    failing: str | None = None

    async def _infer(self, request: Any, context: Any) -> Any:  # noqa: ANN401 - untyped protocol
        if self.failing is not None and request.model_name.startswith(self.failing):
            await context.abort(grpc.StatusCode.INTERNAL, "the head has come off")
        return await super()._infer(request, context)


@dataclass
class Gateway:
    """One process and a client of it."""

    process: Process
    http: httpx.AsyncClient

    async def leads(self) -> bool:
        return "diptych_ramp_leader 1.0" in (await self.http.get("/metrics")).text

    async def classify(self, unit: str) -> int:
        response = await self.http.post("/v1/classify", json={"text": "a", "unit": unit})
        return response.status_code

    async def results(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.http.get("/v1/experiments/heads/results")).json()
        return answer


@asynccontextmanager
async def run_gateway(
    triton: FakeTriton, folder: Path, url: str, key: str
) -> AsyncIterator[Gateway]:
    http_port, grpc_port = free_ports(2)
    settings = {
        "http_port": http_port,
        "grpc_port": grpc_port,
        "triton_grpc_url": triton.url,
        "database_url": url,
        "api_keys_file": folder / "keys.toml",
        "receipt_keys_file": folder / "receipts.toml",
        "experiments_refresh_s": 0.2,
        "request_budget_ms": 10_000,
        "drain_delay_s": 0,
        "log_level": "ERROR",
    }
    environment = {f"DIPTYCH_GATEWAY_{name.upper()}": str(each) for name, each in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env={**os.environ, **environment}
    )
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{http_port}",
        headers={"x-api-key": key},
        transport=httpx.AsyncHTTPTransport(verify=False),
        timeout=30,
    ) as http:
        try:
            gateway = Gateway(process, http)
            await eventually(lambda: _is_ready(http), within_s=60)
            yield gateway
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _is_ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def eventually(holds: Any, *, within_s: float) -> float:  # noqa: ANN401 - a coroutine
    """Waits until `holds` does; returns how long that took, in seconds."""
    began_s = time.monotonic()
    while not await holds():
        assert time.monotonic() < began_s + within_s
        await asyncio.sleep(0.1)
    return time.monotonic() - began_s


async def test_leader_is_killed_and_the_other_replica_rolls_a_broken_candidate_back(
    postgresql: Postgresql, tmp_path: Path
) -> None:
    database_url = postgresql.new_database()
    migrate(database_url)
    key = Keys(tmp_path).add("ops", "admin", "classify")
    write_keys(tmp_path)
    triton = FailingTriton()
    triton.repository |= make_repository(variant="other")
    await triton.start()
    async with (
        run_gateway(triton, tmp_path, database_url, key) as one,
        run_gateway(triton, tmp_path, database_url, key) as other,
    ):
        assert (await one.http.put(EXPERIMENT, json=RAMPED)).status_code == 200
        started = await one.http.post(f"{EXPERIMENT}/ramp/start")
        assert started.json()["share"] == 0.2, started.text

        async def one_leads() -> bool:
            return await one.leads() or await other.leads()

        await eventually(one_leads, within_s=10)
        leader, follower = (one, other) if await one.leads() else (other, one)
        assert not await follower.leads()

        leader.process.kill()
        await leader.process.wait()
        await eventually(follower.leads, within_s=LEASE_S + 10)

        triton.failing = "other"
        serial = iter(range(10**6))

        async def is_rolled_back() -> bool:
            await asyncio.gather(*(follower.classify(f"u{next(serial)}") for _ in range(10)))
            return bool((await follower.results())["ramp"]["status"] == "rolled_back")

        await eventually(is_rolled_back, within_s=ROLLBACK_S)

        # The control answers all, and failures are over though the candidate is still broken.
        answer = await follower.results()
        last = answer["decisions"][0]
        assert (last["action"], last["reasons"]) == ("roll_back", ["guardrail_failures"])
        assert last["leader_token"] == 2
        statuses = await asyncio.gather(*(follower.classify(f"v{n}") for n in range(20)))
        assert set(statuses) == {200}
    await triton.stop()
