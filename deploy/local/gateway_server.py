"""The gateway as a process of this machine."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from deploy.local.service import Endpoint, Launch, Service

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(kw_only=True)
class GatewayServer(Service):
    """`python -m gateway`, in front of one Triton.

    Settings of the gateway that are not named here come from the environment
    (`DIPTYCH_GATEWAY_...`), as ever.

    Attributes:
        host: the address that REST and gRPC listen on.
        http_port: of the REST API.
        grpc_port: of the gRPC API.
        triton_grpc_url: `host:port` of Triton.
        probe_host: an address at which this machine reaches `host`.
        database_url: where experiments and audit are kept, unless the environment says.
        receipt_keys_file: keys that sign prediction ids, unless the environment says.
        samples_folder: what the page offers to try, unless the environment says.
        variables: further settings, which win over those of the environment.
    """

    name: ClassVar[str] = "gateway"

    host: str
    http_port: int
    grpc_port: int
    triton_grpc_url: str
    probe_host: str
    database_url: str | None = None
    receipt_keys_file: Path | None = None
    samples_folder: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> Endpoint:
        """Ready when Triton is, and a variant is routed."""
        ports = {"HTTP": self.http_port, "gRPC": self.grpc_port}
        return Endpoint(ports, self.probe_host, self.http_port, "/readyz")

    def launch(self) -> Launch:
        """Hands the gateway its addresses by environment."""
        addresses = {
            "DIPTYCH_GATEWAY_HTTP_HOST": self.host,
            "DIPTYCH_GATEWAY_HTTP_PORT": str(self.http_port),
            "DIPTYCH_GATEWAY_GRPC_HOST": self.host,
            "DIPTYCH_GATEWAY_GRPC_PORT": str(self.grpc_port),
            "DIPTYCH_GATEWAY_TRITON_GRPC_URL": self.triton_grpc_url,
        }
        defaults = {}
        if self.database_url is not None:
            defaults["DIPTYCH_GATEWAY_DATABASE_URL"] = self.database_url
        if self.receipt_keys_file is not None:
            defaults["DIPTYCH_GATEWAY_RECEIPT_KEYS_FILE"] = str(self.receipt_keys_file)
        if self.samples_folder is not None:
            defaults["DIPTYCH_GATEWAY_SAMPLES_FOLDER"] = str(self.samples_folder)
        environment = {**defaults, **os.environ, **addresses, **self.variables}
        return Launch((sys.executable, "-m", "gateway"), environment)
