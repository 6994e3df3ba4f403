"""Keeps the catalog fresh by looking at Triton's repository, and survives Triton's absence.

While Triton is away the last catalog stays: requests then fail with an error that says when to try
again, not with an unknown variant, and everything goes on when it is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from gateway.catalog import EMPTY_CATALOG, Catalog, build_catalog
from gateway.contract.manifest import MANIFEST_PARAMETER
from gateway.errors import BackendUnavailableError, GatewayError
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from gateway.telemetry.metrics import Metrics
    from gateway.triton.backend import InferenceBackend

_LOG: Final = logging.getLogger(__name__)
_CALL_TIMEOUT_S: Final = 5.0
_RETRY_S: Final = 0.5  # between two looks while Triton is away


class CatalogPoller:
    """Reads the catalog again and again.

    Args:
        backend: where the repository is read.
        metrics: shows what was read.
        refresh_s: time between two looks, in seconds.
    """

    def __init__(self, backend: InferenceBackend, metrics: Metrics, refresh_s: float) -> None:
        self._backend = backend
        self._metrics = metrics
        self._refresh_s = refresh_s
        self._catalog = EMPTY_CATALOG
        self._is_current = False
        self._is_first = True

    @property
    def catalog(self) -> Catalog:
        """What was read last; empty before the first success."""
        return self._catalog

    @property
    def is_current(self) -> bool:
        """Whether the last look succeeded."""
        return self._is_current

    async def run(self) -> None:
        """Refreshes until it is cancelled."""
        while True:
            await self.refresh()
            wait_s = self._refresh_s if self._is_current else min(self._refresh_s, _RETRY_S)
            await asyncio.sleep(wait_s)

    async def refresh(self) -> None:
        """Looks once. A failure keeps the last catalog and is logged when it is news."""
        try:
            catalog = await self._read()
        except GatewayError as error:
            if self._is_current or self._is_first:
                log_event(_LOG, logging.WARNING, "triton_unavailable", code=error.code)
            self._is_current = self._is_first = False
            self._metrics.set_triton_up(False)
            return
        if catalog != self._catalog or not self._is_current:
            log_event(
                _LOG,
                logging.INFO,
                "catalog_read",
                variants={each.name: each.digest for each in catalog.variants.values()},
                refused={each.model: each.reason for each in catalog.refused},
            )
        self._catalog = catalog
        self._is_current = True
        self._is_first = False
        self._metrics.set_triton_up(True)
        self._metrics.set_catalog(
            {each.name: each.digest for each in catalog.variants.values()},
            (each.reason for each in catalog.refused),
            time.time(),
        )

    async def _read(self) -> Catalog:
        # A server that is starting lists its models bit by bit: that is not yet a catalog.
        if not await self._backend.is_server_ready(timeout_s=_CALL_TIMEOUT_S):
            raise BackendUnavailableError
        manifests: dict[str, str] = {}
        for model in await self._backend.ready_models(timeout_s=_CALL_TIMEOUT_S):
            manifest = await self._backend.model_parameter(
                model, MANIFEST_PARAMETER, timeout_s=_CALL_TIMEOUT_S
            )
            if manifest is not None:
                manifests[model] = manifest
        return build_catalog(manifests)
