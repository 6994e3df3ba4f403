"""A pool without servers: endpoints that look ready, for what needs no call."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gateway.catalog import build_catalog
from gateway.placement import PoolName
from gateway.pools.endpoint import Endpoint
from gateway.pools.look import Look
from gateway.pools.pool import Pool
from gateway.triton.grpc_backend import TritonBackend
from tests.gateway.manifests import make_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIANT = "demo"


def make_pool(
    count: int, name: PoolName = PoolName.CPU, manifests: Mapping[str, str] | None = None
) -> Pool:
    """Makes a pool of ready servers. To be called inside an event loop; nothing connects."""
    pool = Pool(name, random.Random(0))
    catalog = build_catalog(make_repository() if manifests is None else manifests)
    for number in range(count):
        backend = TritonBackend(f"127.0.0.1:{number + 1}", max_request_bytes=1)
        endpoint = Endpoint(name, f"{name}-{number}", backend)
        endpoint.note_seen(Look((), catalog))
        pool.endpoints.append(endpoint)
    return pool


def fail(pool: Pool, endpoint: Endpoint, now_s: float) -> str | None:
    """Lets one request to a server fail; returns why it was ejected, if it was."""
    endpoint.end(endpoint.begin(now_s, 1.0), now_s, has_succeeded=False)
    return pool.note_failure(endpoint, now_s)


def answer(pool: Pool, endpoint: Endpoint, now_s: float, latency_s: float) -> str | None:
    """Lets one request to a server succeed; returns why it was ejected, if it was."""
    endpoint.end(endpoint.begin(now_s - latency_s, 1.0), now_s, has_succeeded=True)
    return pool.note_success(endpoint, latency_s, now_s)
