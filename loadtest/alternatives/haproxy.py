"""HAProxy with a limit set by hand, as many put it before a service."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from deploy.local.service import Endpoint, Launch, Service

if TYPE_CHECKING:
    from pathlib import Path

_HOST = "127.0.0.1"
_CONFIG = """\
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
    timeout queue {queue_ms}ms
frontend classify
    bind {host}:{port}
    default_backend gateway
backend gateway
    server gateway {host}:{backend_port} maxconn {most_in_flight}
"""


@dataclass(kw_only=True)
class HaProxy(Service):
    """One proxy before one server: so many requests at a time, the others wait or get a 503.

    Attributes:
        program: path of `haproxy`.
        port: where it listens, on loopback.
        backend_port: of the server behind it.
        most_in_flight: requests that the server gets at a time (`maxconn`).
        queue_ms: how long another one waits for its turn (`timeout queue`).
    """

    name: ClassVar[str] = "haproxy"

    program: Path
    port: int
    backend_port: int
    most_in_flight: int
    queue_ms: int

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return _HOST, self.port

    @property
    def endpoint(self) -> Endpoint:
        """Ready when the gateway answers through it."""
        return Endpoint({"HTTP": self.port}, _HOST, self.port, "/readyz")

    def launch(self) -> Launch:
        """Writes its configuration beside its log."""
        path = self.log_path.with_suffix(".cfg")
        path.parent.mkdir(parents=True, exist_ok=True)
        config = _CONFIG.format(
            host=_HOST,
            port=self.port,
            backend_port=self.backend_port,
            most_in_flight=self.most_in_flight,
            queue_ms=self.queue_ms,
        )
        path.write_text(config, encoding="utf-8")
        return Launch((str(self.program), "-db", "-f", str(path)), os.environ)
