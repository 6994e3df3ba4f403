"""What a run measures: a variant, the requests for it, and the servers that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.local.gateway_server import GatewayServer
from deploy.local.triton_server import free_ports
from loadtest.bench.load import Server
from loadtest.bench.peers import BaselineServer, BaselineSettings
from loadtest.bench.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from loadtest.bench.corpus import Example
    from loadtest.bench.variant import ServedVariant


@dataclass(frozen=True)
class Subject:
    """What all parts of a run share.

    Attributes:
        repository: the model repository.
        variant: what is served from it.
        corpus: the requests.
        log_folder: where servers write their logs.
    """

    repository: Path
    variant: ServedVariant
    corpus: Sequence[Example]
    log_folder: Path

    def server(self, address: tuple[str, int]) -> Server:
        """Says what to send to a server."""
        return Server.at(address, self.corpus, self.variant.labels)

    def stack(
        self,
        gateway_settings: Mapping[str, str] | None = None,
        gateway_class: type[GatewayServer] = GatewayServer,
    ) -> Stack:
        """Makes the service on free ports, not started yet.

        Args:
            gateway_settings: environment variables for the gateway; None: none of our own.
            gateway_class: starts the gateway.
        """
        return Stack(
            self.repository, self.variant, self.log_folder, gateway_settings, gateway_class
        )

    def baseline(self, settings: BaselineSettings) -> BaselineServer:
        """Makes a baseline on a free port, not started yet."""
        (port,) = free_ports(1)
        return BaselineServer(
            repository=self.repository,
            variant=self.variant,
            settings=settings,
            port=port,
            log_path=self.log_folder / "baseline.log",
        )
