"""Whether this process should get traffic, and if not, why. REST and gRPC health both ask here."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.pools.fleet import Fleet


class NotReady(StrEnum):
    """A reason not to send traffic here."""

    DRAINING = "draining"
    TRITON_NOT_READY = "triton_not_ready"
    CATALOG_STALE = "catalog_stale"
    NO_VARIANT_ROUTED = "no_variant_routed"


class Readiness:
    """Answers the question from Triton itself, the catalog, and the state of this process."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._draining = asyncio.Event()

    @property
    def is_draining(self) -> bool:
        """Whether this process is shutting down."""
        return self._draining.is_set()

    def begin_drain(self) -> None:
        """Takes readiness away for good."""
        self._draining.set()

    async def wait_for_drain(self) -> None:
        """Returns when the process begins to shut down."""
        await self._draining.wait()

    async def reasons_against(self) -> list[NotReady]:
        """Returns all reasons not to send traffic here; none means ready."""
        reasons: list[NotReady] = []
        if self.is_draining:
            reasons.append(NotReady.DRAINING)
        if not await self._fleet.is_any_ready():
            reasons.append(NotReady.TRITON_NOT_READY)
        elif not self._fleet.is_current:
            reasons.append(NotReady.CATALOG_STALE)
        # A variant is routed only when all three of its ensembles are ready.
        if not self._fleet.catalog.variants:
            reasons.append(NotReady.NO_VARIANT_ROUTED)
        return reasons
