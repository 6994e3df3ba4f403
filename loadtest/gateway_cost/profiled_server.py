"""The gateway under the sampler, as the bench starts it."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploy.local.gateway_server import GatewayServer
from loadtest.bench.errors import NoProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.local.service import Launch


@dataclass(kw_only=True)
class ProfiledGateway(GatewayServer):
    """The same gateway, started in another way: it can sample itself."""

    def launch(self) -> Launch:
        """See `GatewayServer.launch`."""
        path = _profile_path(self)
        path.unlink(missing_ok=True)
        command = (sys.executable, "-m", "loadtest.gateway_cost.profiled_gateway", str(path))
        return replace(super().launch(), command=command)


def begin_profile(gateway: GatewayServer) -> None:
    """Lets a running `ProfiledGateway` begin to sample."""
    if gateway.pid is not None:
        os.kill(gateway.pid, signal.SIGUSR1)


def read_profile(gateway: GatewayServer) -> Mapping[str, float]:
    """Returns what share of its CPU time each part took of a `ProfiledGateway` that has ended.

    Raises:
        NoProfileError: it left none.
    """
    path = _profile_path(gateway)
    if not path.exists():
        raise NoProfileError(path, gateway.log_path)
    shares: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return shares


def _profile_path(gateway: GatewayServer) -> Path:
    return gateway.log_path.with_name("gateway-profile.json")
