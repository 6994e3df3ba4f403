"""Follows what is served, and reads the drift reference of each variant once."""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from gateway.contract.drift.reference import (
    MAX_REFERENCE_BYTES,
    REFERENCE_PARAMETER,
    DriftReference,
)
from gateway.contract.drift.window import DriftTests
from gateway.contract.manifest import ModalitySet
from gateway.contract.tensors import IMAGE_FEATURES, TEXT_FEATURES
from gateway.errors import GatewayError
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalog import Variant
    from gateway.pools.fleet import Fleet
    from gateway.telemetry.drift_metrics import DriftMetrics
    from gateway.triton.backend import InferenceBackend
    from gateway.watching.drift_watch import DriftWatch

_LOG: Final = logging.getLogger(__name__)
_CALL_TIMEOUT_S: Final = 5.0


class ReferenceState(StrEnum):
    """What is known of a variant's reference.

    `NOT_READ`: the next look asks for it. `NOT_WATCHED`: this gateway watches nothing.
    """

    LOADED = "loaded"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    NOT_READ = "not_read"
    NOT_WATCHED = "not_watched"


class References:
    """The references of all variants that are served.

    Args:
        fleet: the servers.
        drift: is told what to watch by.
        metrics: show which variants are watched.
        refresh_s: time between two looks, in seconds.
    """

    def __init__(
        self, fleet: Fleet, drift: DriftWatch, metrics: DriftMetrics, refresh_s: float
    ) -> None:
        self._fleet = fleet
        self._drift = drift
        self._metrics = metrics
        self._refresh_s = refresh_s
        self._states: dict[str, ReferenceState] = {}

    def state_of(self, digest: str) -> ReferenceState:
        """Returns what is known of the reference of a variant's digest."""
        return self._states.get(digest, ReferenceState.NOT_READ)

    async def run(self) -> None:
        """Looks until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._refresh_s)

    async def look(self) -> None:
        """Reads the references of variants that are new, and forgets those that are gone."""
        served: dict[str, tuple[InferenceBackend, Variant]] = {}
        for endpoint in self._fleet.endpoints():
            for variant in endpoint.catalog.variants.values():
                served.setdefault(variant.digest, (endpoint.backend, variant))
        self._drift.keep(served)
        self._states = {each: state for each, state in self._states.items() if each in served}
        for digest, (backend, variant) in served.items():
            if digest not in self._states:
                await self._read(backend, variant)
        names = {variant.digest: variant.name for _, variant in served.values()}
        self._metrics.show_references(
            (names[digest], state) for digest, state in self._states.items()
        )

    async def _read(self, backend: InferenceBackend, variant: Variant) -> None:
        ensemble = variant.ensembles[ModalitySet.BOTH]
        try:
            model = await backend.model(ensemble.model, timeout_s=_CALL_TIMEOUT_S)
        except GatewayError:
            return  # the next look tries again
        text = model.parameters.get(REFERENCE_PARAMETER)
        if text is None or not ensemble.feature_dims:
            self._states[variant.digest] = ReferenceState.MISSING
            return
        try:
            tests = await asyncio.to_thread(read_tests, text, ensemble.feature_dims)
        except ValueError as error:  # pydantic's errors are among them
            self._states[variant.digest] = ReferenceState.UNREADABLE
            log_event(
                _LOG,
                logging.WARNING,
                "drift_reference_unreadable",
                variant=variant.name,
                digest=variant.digest,
                faults=error.error_count() if isinstance(error, ValidationError) else str(error),
            )
            return
        self._drift.learn(variant.digest, tests)
        self._states[variant.digest] = ReferenceState.LOADED


def read_tests(text: str, feature_dims: Mapping[str, int]) -> DriftTests:
    """Makes the tests of a reference.

    Args:
        text: the reference's JSON.
        feature_dims: widths of the features that the variant's ensemble gives, by output.

    Raises:
        ValueError: it is not a reference, or not one of these features.
    """
    if len(text) > MAX_REFERENCE_BYTES:
        message = f"a drift reference has at most {MAX_REFERENCE_BYTES} bytes, not {len(text)}"
        raise ValueError(message)
    tests = DriftTests(DriftReference.model_validate_json(text))
    wanted = feature_dims.get(IMAGE_FEATURES), feature_dims.get(TEXT_FEATURES)
    if tests.dims != wanted:
        message = f"the reference is of features {tests.dims} wide, the ensemble gives {wanted}"
        raise ValueError(message)
    return tests
