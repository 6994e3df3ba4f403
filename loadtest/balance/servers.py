"""Three Tritons on three addresses and the same ports, and a gateway that knows their name."""

from __future__ import annotations

import re
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.local.gateway_server import GatewayServer
from deploy.local.triton_server import BundledTriton
from loadtest.balance.name_server import NAME, NameServer
from loadtest.bench.load import Server
from loadtest.faults import paced_variant
from loadtest.faults.corpus import make_requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ADDRESSES: Final = ("127.0.0.2", "127.0.0.3", "127.0.0.4")

_GATEWAY: Final = "127.0.0.1"
# Nothing else listens in a network of one's own.
_TRITON_HTTP, _TRITON_GRPC, _TRITON_METRICS = 8000, 8001, 8002
_HTTP, _GRPC = 8080, 8081
_READY_TIMEOUT_S: Final = 60.0
_SERVED: Final = re.compile(
    r'^nv_inference_request_success\{model="(.+?)".*\} (\S+)$', re.MULTILINE
)
_ENDPOINT: Final = re.compile(
    r'^diptych_gateway_endpoint_state\{endpoint="(.+?):\d+"', re.MULTILINE
)


@dataclass(frozen=True)
class Servers:
    """All of it, running.

    Attributes:
        tritons: by address.
        names: where the gateway looks them up.
        gateway: for load.
        models: of each Triton, as requests ask for them.
    """

    tritons: dict[str, BundledTriton]
    names: NameServer
    gateway: Server
    models: tuple[str, ...]

    def served(self, address: str) -> int:
        """Returns how many requests a Triton has answered since its start, by its own count."""
        found = _SERVED.findall(_read(f"http://{address}:{_TRITON_METRICS}/metrics"))
        return sum(int(float(value)) for model, value in found if model in self.models)

    def known(self) -> set[str]:
        """Returns the addresses that the gateway has, in whatever state."""
        return set(_ENDPOINT.findall(_read(f"http://{_GATEWAY}:{_HTTP}/metrics")))

    def restart(self, address: str) -> None:
        """Starts a Triton again and waits until it is ready."""
        self.tritons[address].start()
        self.tritons[address].wait_ready(_READY_TIMEOUT_S)


@contextmanager
def running(folder: Path, log_folder: Path, variables: Mapping[str, str]) -> Iterator[Servers]:
    """Starts all, yields when the gateway is ready, and stops all.

    Args:
        folder: where models go.
        log_folder: where servers write their logs.
        variables: of the gateway's environment, beside the usual ones.

    Raises:
        ServiceError: one ended instead, or is not ready in a minute.
    """
    models = paced_variant.publish(folder / "models")
    tritons = {
        address: BundledTriton(
            repository=folder / "models",
            models=models,
            http_port=_TRITON_HTTP,
            grpc_port=_TRITON_GRPC,
            metrics_port=_TRITON_METRICS,
            host=address,
            log_path=log_folder / f"triton-{address}.log",
            # One folder for all: its links are the same.
            runtime_folder=folder / "triton-runtime",
            stop_grace_s=6.0,
        )
        for address in ADDRESSES
    }
    gateway = GatewayServer(
        host=_GATEWAY,
        probe_host=_GATEWAY,
        http_port=_HTTP,
        grpc_port=_GRPC,
        triton_grpc_url=f"{NAME}:{_TRITON_GRPC}",
        variables={
            "DIPTYCH_GATEWAY_TRITON_CPU_ENDPOINTS": f"dns:///{NAME}:{_TRITON_GRPC}",
            "DIPTYCH_GATEWAY_HAS_COALESCING": "false",
            **variables,
        },
        log_path=log_folder / "gateway.log",
    )
    with ExitStack() as starting:
        for each in tritons.values():
            starting.callback(each.stop)
            each.start()
        for each in tritons.values():
            each.wait_ready(_READY_TIMEOUT_S)
        names = starting.enter_context(NameServer(ADDRESSES))
        starting.enter_context(gateway)
        address = (_GATEWAY, _HTTP)
        server = Server(address, make_requests(address), frozenset(paced_variant.LABELS))
        yield Servers(tritons, names, server, models)


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  # our own
        text: str = response.read().decode()
    return text
