"""All pools together, in the order in which they are asked, and what they serve between them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from gateway.catalog import EMPTY_CATALOG, Catalog
from gateway.placement import Degraded, PoolName
from gateway.pools.look import PROBE_TIMEOUT_S
from gateway.pools.merge import merge_catalogs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.pools.endpoint import Endpoint
    from gateway.pools.pool import Pool
    from gateway.telemetry.metrics import Metrics

_ORDER: Final = (PoolName.GPU, PoolName.CPU, PoolName.DEFAULT)


class Fleet:
    """The pools, and the catalog that is merged from their servers.

    Args:
        pools: at least one.
        metrics: shows what is served, and the state of each server.
        clock: reads seconds, as `time.perf_counter` does.
    """

    def __init__(self, pools: Sequence[Pool], metrics: Metrics, clock: Callable[[], float]) -> None:
        self.pools = sorted(pools, key=lambda each: _ORDER.index(each.name))
        self._metrics = metrics
        self._clock = clock
        self._catalog = EMPTY_CATALOG

    @property
    def catalog(self) -> Catalog:
        """What is served; empty before the first server was seen."""
        return self._catalog

    @property
    def is_current(self) -> bool:
        """Whether any server is ready, so that the catalog shows what is there."""
        return any(each.is_ready for each in self.endpoints())

    def endpoints(self) -> list[Endpoint]:
        """Returns the servers of all pools."""
        return [endpoint for pool in self.pools for endpoint in pool.endpoints]

    def pool(self, name: PoolName) -> Pool:
        """Returns the pool of a name."""
        return next(each for each in self.pools if each.name is name)

    def reason_for(self, pool: Pool, variant: str | None = None) -> Degraded | None:
        """Says why a pool is asked; None when it is the first that could be.

        Args:
            pool: that is asked.
            variant: the one that is wanted, where that is known.
        """
        first = self.pools[0]
        if pool is first:
            return None
        if variant is not None and first.endpoints and not first.serves(variant):
            return Degraded.VARIANT_NOT_IN_GPU_POOL
        return Degraded.GPU_POOL_UNHEALTHY

    def remove(self, endpoint: Endpoint) -> None:
        """Forgets a server."""
        for pool in self.pools:
            if endpoint in pool.endpoints:
                pool.endpoints.remove(endpoint)
        self.note_look()

    async def is_any_ready(self) -> bool:
        """Asks the servers themselves; the first that says yes decides."""
        asked = [
            asyncio.ensure_future(each.backend.is_server_ready(timeout_s=PROBE_TIMEOUT_S))
            for each in self.endpoints()
        ]
        try:
            for answer in asyncio.as_completed(asked):
                if await answer:
                    return True
            return False
        finally:
            for each in asked:
                each.cancel()

    def note_look(self) -> None:
        """Hears that a server was looked at: merges, and shows what came of it."""
        seen = [each for each in self.endpoints() if each.has_been_seen and not each.is_draining]
        well = [each.catalog for each in seen if each.is_ready]
        merged = merge_catalogs(well, [each.catalog for each in seen if not each.is_ready])
        if merged != self._catalog:
            self._catalog = merged
        self._metrics.set_triton_up(bool(well))
        if well:
            self._metrics.set_catalog(
                {each.name: each.digest for each in merged.variants.values()},
                (each.reason for each in merged.refused),
                time.time(),
            )
        self.show_states()

    def show_states(self) -> None:
        """Shows the state of each server and pool."""
        now_s = self._clock()
        self._metrics.pools.show_endpoints(
            (each.pool, each.address, each.state(now_s), each.in_flight)
            for each in self.endpoints()
        )
        for pool in self.pools:
            self._metrics.pools.show_pool(pool.name, is_healthy=pool.is_healthy(now_s))
