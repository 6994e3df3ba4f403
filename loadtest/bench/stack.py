"""The service that is measured, as processes of this machine.

As `make run` starts it, through the launcher's own classes, on free ports. Logs go beside the
figures.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from deploy.local.gateway_server import GatewayServer
from deploy.local.triton_server import BundledTriton, free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from loadtest.bench.variant import ServedVariant

_HOST: Final = "127.0.0.1"
_READY_TIMEOUT_S: Final = 60.0


class Stack:
    """Triton and the gateway, running from entry to exit."""

    def __init__(
        self,
        repository: Path,
        variant: ServedVariant,
        log_folder: Path,
        gateway_settings: Mapping[str, str] | None = None,
        gateway_class: type[GatewayServer] = GatewayServer,
    ) -> None:
        """Prepares; the processes start on entry.

        Args:
            repository: the model repository.
            variant: what to serve.
            log_folder: where both write their logs.
            gateway_settings: of the gateway, as environment variables; None: as they are.
            gateway_class: starts it.
        """
        http, grpc, metrics, gateway_http, gateway_grpc = free_ports(5, _HOST)
        triton = BundledTriton(
            repository=repository,
            models=variant.models,
            http_port=http,
            grpc_port=grpc,
            metrics_port=metrics,
            host=_HOST,
            log_path=log_folder / "triton.log",
        )
        self.gateway = gateway_class(
            host=_HOST,
            probe_host=_HOST,
            http_port=gateway_http,
            grpc_port=gateway_grpc,
            triton_grpc_url=triton.grpc_url,
            # The corpus is small and sent again and again; each request is to be work of its own.
            variables={"DIPTYCH_GATEWAY_HAS_COALESCING": "false", **(gateway_settings or {})},
            log_path=log_folder / "gateway.log",
        )
        self.address = (_HOST, gateway_http)
        self.triton_address = triton.grpc_url
        self.services = (triton, self.gateway)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Starts both at once and waits until they are ready.

        Raises:
            ServiceError: one ended instead, or is not ready in a minute.
        """
        with ExitStack() as starting:  # stops them when anything ends the wait, Ctrl-C included
            for service in self.services:
                starting.callback(service.stop)
                service.start()
            for service in self.services:
                service.wait_ready(_READY_TIMEOUT_S)
            self._running = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops both."""
        self._running.close()
