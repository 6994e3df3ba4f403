"""Where a classification is computed: the pools there are, and why an answer is not the usual one.

Values that admission, the pools and the answers share.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.value import value


class PoolName(StrEnum):
    """A group of Triton servers that are alike."""

    GPU = "gpu"
    CPU = "cpu"
    DEFAULT = "default"
    """The only one, where the settings name neither."""


class Degraded(StrEnum):
    """Why an answer is not what the caller would get on a good day."""

    GPU_POOL_UNHEALTHY = "gpu_pool_unhealthy"
    GPU_POOL_FAILED = "gpu_pool_failed"
    VARIANT_NOT_IN_GPU_POOL = "variant_not_in_gpu_pool"
    SPILL = "spill"
    BROWN_OUT = "brown_out"


@value
class Placement:
    """A pool, and why it is not the first choice; None when it is."""

    pool: PoolName
    degraded: Degraded | None = None
