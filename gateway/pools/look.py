"""One look at one Triton: is it ready, which ensembles does it serve, and on which device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gateway.catalog import Catalog, Refusal, build_catalog
from gateway.contract.manifest import MANIFEST_PARAMETER
from gateway.errors import BackendUnavailableError
from gateway.placement import PoolName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.catalog import Variant
    from gateway.triton.backend import InferenceBackend

PROBE_TIMEOUT_S: Final = 1.0
_CALL_TIMEOUT_S: Final = 5.0
_GPU: Final = "gpu"
_LOOKS_PER_READING: Final = 5
"""Looks that one reading of the configurations serves while the same models are ready."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a server found.

    Attributes:
        models: names of those that are ready, in order.
        catalog: what it serves.
        repeats: looks since the configurations were read that found the same models.
    """

    models: tuple[str, ...]
    catalog: Catalog
    repeats: int = 0


async def look_at(backend: InferenceBackend, pool: PoolName, last: Look | None = None) -> Look:
    """Reads what a server serves.

    The names of published models change with their content, so while the same are ready their
    configurations are read at every fifth look alone: they are most of what a look costs.

    A variant is refused where its device is not the one that its manifest expects: in the GPU pool
    one that was exported for the CPU, and anywhere one for the GPU of which a model was loaded onto
    the CPU, which Triton does silently when it finds no GPU (KIND_AUTO).

    Args:
        backend: the server.
        pool: that it is part of.
        last: the look before this one, where that succeeded.

    Raises:
        BackendUnavailableError: the server is not ready or cannot be reached.
        GatewayError: it failed.
    """
    # A server that is starting lists its models bit by bit: that is not yet a catalog.
    if not await backend.is_server_ready(timeout_s=PROBE_TIMEOUT_S):
        raise BackendUnavailableError
    models = tuple(await backend.ready_models(timeout_s=_CALL_TIMEOUT_S))
    if last is not None and last.models == models and last.repeats < _LOOKS_PER_READING - 1:
        return replace(last, repeats=last.repeats + 1)
    return Look(models, await _read_catalog(backend, pool, models))


async def _read_catalog(
    backend: InferenceBackend, pool: PoolName, models: Sequence[str]
) -> Catalog:
    manifests: dict[str, str] = {}
    outputs: dict[str, Mapping[str, int]] = {}
    for name in models:
        model = await backend.model(name, timeout_s=_CALL_TIMEOUT_S)
        if (manifest := model.parameters.get(MANIFEST_PARAMETER)) is not None:
            manifests[name] = manifest
            outputs[name] = model.outputs
    catalog = build_catalog(manifests, outputs)
    for variant in catalog.variants.values():
        if not await _is_on_its_device(backend, variant, pool):
            catalog = catalog.without(variant.name, Refusal.DEVICE_UNEXPECTED)
    return catalog


async def _is_on_its_device(backend: InferenceBackend, variant: Variant, pool: PoolName) -> bool:
    for ensemble in variant.ensembles.values():
        if ensemble.manifest.expected_device != _GPU:
            if pool is PoolName.GPU:
                return False
            continue
        devices = await backend.step_devices(ensemble.model, timeout_s=_CALL_TIMEOUT_S)
        if devices - {_GPU}:
            return False
    return True
