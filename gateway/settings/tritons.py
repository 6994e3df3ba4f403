"""The settings of the Tritons behind the gateway; `environment` reads them."""

from __future__ import annotations

from pydantic import BaseModel, Field, field_validator

from gateway.placement import PoolName
from gateway.settings.kinds import Listed
from gateway.triton_target import TritonTarget


class TritonSettings(BaseModel):
    """Where the Tritons are, in which pools, and how often they are looked for."""

    triton_grpc_url: str = Field(
        "127.0.0.1:8001",
        min_length=1,
        description="Triton's gRPC address: `host:port`, or `dns:///name:port` for a server "
        "at each address behind a name.",
    )
    triton_gpu_endpoints: Listed = Field(
        (),
        description="Tritons of the GPU pool, by comma, each as above; they are asked first.",
    )
    triton_cpu_endpoints: Listed = Field(
        (),
        description="Tritons of the CPU pool, which the GPU pool falls back to and spills into. "
        "When either pool is named, `TRITON_GRPC_URL` is not used.",
    )
    endpoint_lookup_s: float = Field(
        5.0, gt=0, le=300, description="Time between two look-ups of the names, in seconds."
    )
    catalog_refresh_s: float = Field(
        2.0, gt=0, le=300, description="Time between two looks at Triton's repository, in seconds."
    )

    @field_validator("triton_grpc_url", "triton_gpu_endpoints", "triton_cpu_endpoints")
    @classmethod
    def _check_addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for address in (value,) if isinstance(value, str) else value:
            TritonTarget.parse(address)
        return value

    @property
    def pools(self) -> dict[PoolName, tuple[TritonTarget, ...]]:
        """The Tritons of each pool; pools without any are left out."""
        named = {
            PoolName.GPU: self.triton_gpu_endpoints,
            PoolName.CPU: self.triton_cpu_endpoints,
        }
        if not any(named.values()):
            named = {PoolName.DEFAULT: (self.triton_grpc_url,)}
        return {
            name: tuple(map(TritonTarget.parse, addresses))
            for name, addresses in named.items()
            if addresses
        }
