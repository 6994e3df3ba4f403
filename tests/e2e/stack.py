"""The bundled Triton and the gateway on free ports, as the launcher starts them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.gateway_server import GatewayServer
from deploy.local.published import select
from deploy.local.triton_server import BundledTriton, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Stack:
    """Two running processes."""

    triton: BundledTriton
    gateway: GatewayServer

    @property
    def url(self) -> str:
        """The gateway's REST API, without a path."""
        return f"http://{HOST}:{self.gateway.http_port}"

    @property
    def grpc_target(self) -> str:
        """The gateway's gRPC API."""
        return f"{HOST}:{self.gateway.grpc_port}"


@contextmanager
def running_stack(repository: Path, variant: str | list[str], log_folder: Path) -> Iterator[Stack]:
    """Starts both with one variant or several, yields when both are ready, and stops both."""
    variants = [variant] if isinstance(variant, str) else variant
    triton_http, triton_grpc, triton_metrics, http, grpc = free_ports(5)
    triton = BundledTriton(
        repository=repository,
        models=select(repository, variants).models,
        http_port=triton_http,
        grpc_port=triton_grpc,
        metrics_port=triton_metrics,
        log_path=log_folder / "triton.log",
    )
    gateway = GatewayServer(
        host=HOST,
        http_port=http,
        grpc_port=grpc,
        triton_grpc_url=triton.grpc_url,
        probe_host=HOST,
        log_path=log_folder / "gateway.log",
    )
    with triton, gateway:
        yield Stack(triton, gateway)
