"""The demo's stack with its watchers, for the tests and for the pictures."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.gateway_server import GatewayServer
from deploy.local.published import select
from deploy.local.triton_server import BundledTriton, free_ports
from tests.conftest import DEMO
from tests.deploy.observability.watchers import HOST, Watch, running_watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Watched:
    """A running stack and what watches it."""

    url: str
    watch: Watch


@contextmanager
def watched_stack(
    repository: Path,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    variants: Sequence[str] = (DEMO,),
) -> Iterator[Watched]:
    """Starts all of it and yields when all is ready.

    Args:
        repository: a model repository with the demo in it.
        folder: an empty one, for logs and data.
        variables: further settings of the gateway.
        variants: what is served.
    """
    triton_http, triton_grpc, triton_metrics, http, grpc = free_ports(5)
    triton = BundledTriton(
        repository=repository,
        models=select(repository, list(variants)).models,
        http_port=triton_http,
        grpc_port=triton_grpc,
        metrics_port=triton_metrics,
        log_path=folder / "triton.log",
    )
    gateway = GatewayServer(
        host=HOST,
        http_port=http,
        grpc_port=grpc,
        triton_grpc_url=triton.grpc_url,
        probe_host=HOST,
        log_path=folder / "gateway.log",
        variables=variables or {},
    )
    (folder / "watch").mkdir()
    targets = {"diptych-gateway": http, "diptych-triton": triton_metrics}
    with triton, gateway, running_watch(targets, folder / "watch") as watch:
        yield Watched(f"http://{HOST}:{http}", watch)
