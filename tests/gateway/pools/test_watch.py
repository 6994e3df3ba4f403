from __future__ import annotations

import asyncio
import random
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from gateway.placement import PoolName
from gateway.pools.discovery import resolve
from gateway.pools.endpoint import EndpointState
from gateway.pools.fleet import Fleet
from gateway.pools.pool import Pool
from gateway.pools.watch import Watch
from gateway.telemetry.metrics import Metrics
from gateway.triton.grpc_backend import TritonBackend
from gateway.triton_target import TritonTarget
from tests.gateway.conftest import eventually

if TYPE_CHECKING:
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio


async def test_resolve_name_is_a_server_for_each_address() -> None:
    found = await resolve([TritonTarget.parse("dns:///localhost:8001")])
    assert "127.0.0.1:8001" in found
    assert len(set(found)) == len(found)


async def test_server_that_has_left_gets_nothing_new_and_ends_what_it_has(
    triton: FakeTriton,
) -> None:
    pool = Pool(PoolName.CPU, random.Random(0))
    fleet = Fleet([pool], Metrics(CollectorRegistry()), time.perf_counter)
    targets = {pool: [TritonTarget.parse(triton.url)]}
    connect = partial(TritonBackend, max_request_bytes=1_000)
    watch = Watch(fleet, targets, connect, refresh_s=0.02, lookup_s=0.02)
    await watch.start()
    (endpoint,) = pool.endpoints
    assert pool.pick("demo", time.perf_counter()) is endpoint
    running = asyncio.create_task(watch.run())
    attempt = endpoint.begin(time.perf_counter(), 1.0)

    targets[pool] = []
    await eventually(lambda: endpoint.state(time.perf_counter()) is EndpointState.DRAINING)
    assert pool.pick("demo", time.perf_counter()) is None
    await asyncio.sleep(0.1)
    assert pool.endpoints == [endpoint]  # something is still on its way

    endpoint.end(attempt, time.perf_counter(), has_succeeded=True)
    await eventually(lambda: pool.endpoints == [])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await watch.close()
