"""One look at one Triton: is it ready, which ensembles does it serve, and on which device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.catalog import Catalog, Refusal, build_catalog
from gateway.contract.manifest import MANIFEST_PARAMETER
from gateway.errors import BackendUnavailableError
from gateway.placement import PoolName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.catalog import Variant
    from gateway.triton.backend import InferenceBackend

PROBE_TIMEOUT_S: Final = 1.0
_CALL_TIMEOUT_S: Final = 5.0
_GPU: Final = "gpu"


async def look_at(backend: InferenceBackend, pool: PoolName) -> Catalog:
    """Reads what a server serves.

    A variant is refused where its device is not the one that its manifest expects: in the GPU pool
    one that was exported for the CPU, and anywhere one for the GPU of which a model was loaded onto
    the CPU, which Triton does silently when it finds no GPU (KIND_AUTO).

    Raises:
        BackendUnavailableError: the server is not ready or cannot be reached.
        GatewayError: it failed.
    """
    # A server that is starting lists its models bit by bit: that is not yet a catalog.
    if not await backend.is_server_ready(timeout_s=PROBE_TIMEOUT_S):
        raise BackendUnavailableError
    manifests: dict[str, str] = {}
    outputs: dict[str, Mapping[str, int]] = {}
    for name in await backend.ready_models(timeout_s=_CALL_TIMEOUT_S):
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
