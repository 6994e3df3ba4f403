"""Keeps the pools current: looks names up, looks at every server, and survives their absence.

Each server is watched by a task of its own, so that one which does not answer delays no other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from gateway.errors import BackendUnavailableError, GatewayError
from gateway.pools.discovery import resolve
from gateway.pools.endpoint import Endpoint
from gateway.pools.look import PROBE_TIMEOUT_S, look_at
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.pools.fleet import Fleet
    from gateway.pools.pool import Pool
    from gateway.triton.backend import InferenceBackend
    from gateway.triton_target import TritonTarget

_LOG: Final = logging.getLogger(__name__)
_RETRY_S: Final = 0.5  # between two looks at a server that is away


class Watch:
    """Runs for as long as the process.

    Args:
        fleet: what is kept current.
        targets: of each pool.
        connect: makes the connection to an address.
        refresh_s: time between two looks at a server, in seconds.
        lookup_s: time between two look-ups of the names, in seconds.
    """

    def __init__(
        self,
        fleet: Fleet,
        targets: Mapping[Pool, Sequence[TritonTarget]],
        connect: Callable[[str], InferenceBackend],
        *,
        refresh_s: float,
        lookup_s: float,
    ) -> None:
        self._fleet = fleet
        self._targets = targets
        self._connect = connect
        self._refresh_s = refresh_s
        self._lookup_s = lookup_s
        self._unresolved: set[Pool] = set()

    async def start(self) -> None:
        """Finds all servers and looks at each once, side by side."""
        await self._look_up()
        await asyncio.gather(*(self._look(each) for each in self._fleet.endpoints()))

    async def run(self) -> None:
        """Watches until it is cancelled."""
        watched: dict[Endpoint, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                for endpoint in self._fleet.endpoints():
                    if endpoint not in watched:
                        watched[endpoint] = group.create_task(self._watch(endpoint))
                watched = {each: task for each, task in watched.items() if not task.done()}
                await asyncio.sleep(self._lookup_s)
                await self._look_up()

    async def close(self) -> None:
        """Ends all connections; calls in flight are cancelled."""
        await asyncio.gather(*(each.backend.close() for each in self._fleet.endpoints()))

    async def _look_up(self) -> None:
        await asyncio.gather(*(self._look_up_pool(pool) for pool in self._targets))

    async def _look_up_pool(self, pool: Pool) -> None:
        try:
            addresses = await resolve(self._targets[pool])
        except OSError:  # the name service is away: who was there may still be
            if pool not in self._unresolved:
                log_event(_LOG, logging.WARNING, "endpoints_unresolved", pool=pool.name)
            self._unresolved.add(pool)
            return
        self._unresolved.discard(pool)
        known = {each.address: each for each in pool.endpoints}
        for address, endpoint in known.items():
            endpoint.is_draining = address not in addresses
        for address in addresses:
            if address not in known:
                pool.endpoints.append(Endpoint(pool.name, address, self._connect(address)))
        if set(addresses) != set(known):
            log_event(_LOG, logging.INFO, "endpoints", pool=pool.name, addresses=addresses)

    async def _watch(self, endpoint: Endpoint) -> None:
        while not (endpoint.is_draining and endpoint.in_flight == 0):
            if not endpoint.is_draining:
                await self._look(endpoint)
            is_well = endpoint.is_ready and endpoint.misses == 0
            await asyncio.sleep(self._refresh_s if is_well else min(self._refresh_s, _RETRY_S))
        self._fleet.remove(endpoint)
        await endpoint.backend.close()

    async def _look(self, endpoint: Endpoint) -> None:
        """Looks once. A failure keeps the last catalog and is logged when it is news."""
        was_ready, had_been_seen = endpoint.is_ready, endpoint.has_been_seen
        begun_s = time.perf_counter()
        try:
            look = await look_at(endpoint.backend, endpoint.pool, endpoint.last_look)
        except GatewayError as error:
            # One that says no is believed; one that says nothing may only be busy.
            is_silent = time.perf_counter() - begun_s >= PROBE_TIMEOUT_S
            endpoint.note_missed(
                is_final=isinstance(error, BackendUnavailableError) and not is_silent
            )
            if not endpoint.is_ready and (was_ready or not had_been_seen):
                _log(logging.WARNING, "triton_unavailable", endpoint, code=error.code)
        else:
            catalog = look.catalog
            if catalog != endpoint.catalog or not was_ready:
                _log(
                    logging.INFO,
                    "catalog_read",
                    endpoint,
                    variants={each.name: each.digest for each in catalog.variants.values()},
                    refused={each.model: each.reason for each in catalog.refused},
                )
            endpoint.note_seen(look)
        self._fleet.note_look()


def _log(level: int, event: str, endpoint: Endpoint, **fields: Any) -> None:  # noqa: ANN401 - JSON
    log_event(_LOG, level, event, pool=endpoint.pool, endpoint=endpoint.address, **fields)
