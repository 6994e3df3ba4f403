"""What admission costs at the rate that the service sustains: paired turns with and without it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.local.gateway_server import GatewayServer
from deploy.local.service import Launch
from deploy.local.triton_server import free_ports
from loadtest.bench.targets import Verdict
from loadtest.overload.figures import is_kept
from loadtest.overload.open_loop import OpenLoop, Stretch
from loadtest.overload.run import sustainable_rps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadtest.bench.load import Server
    from loadtest.bench.narrator import Narrator
    from loadtest.overload.run import Plan

MIN_RATIO: Final = 0.95
_HOST: Final = "127.0.0.1"
_READY_TIMEOUT_S: Final = 60.0
_PAIRS: Final = 4


@dataclass(frozen=True)
class AdmissionCost:
    """One run.

    Attributes:
        sustainable_rps: of the service without admission.
        in_time_with: answers within 500 ms at that rate, of each turn with admission.
        in_time_without: the same of the turns without, each beside its pair.
        ratio: of the sums of both.
    """

    sustainable_rps: float
    in_time_with: tuple[int, ...]
    in_time_without: tuple[int, ...]
    ratio: float


@dataclass(kw_only=True)
class _OpenGatewayServer(GatewayServer):
    """`python -m loadtest.overload.open_gateway`."""

    name = "open-gateway"

    def launch(self) -> Launch:
        """As the gateway, but for the module."""
        launch = super().launch()
        return Launch((sys.executable, "-m", "loadtest.overload.open_gateway"), launch.environment)


@contextmanager
def open_gateway(gateway: GatewayServer, log_folder: Path) -> Iterator[tuple[str, int]]:
    """Runs a gateway without admission beside another, in front of the same Triton.

    Args:
        gateway: the other; its settings hold for both.
        log_folder: where it writes its log.

    Yields:
        Its address.

    Raises:
        ServiceError: it ended instead, or is not ready in a minute.
    """
    http_port, grpc_port = free_ports(2, _HOST)
    server = _OpenGatewayServer(
        host=_HOST,
        probe_host=_HOST,
        http_port=http_port,
        grpc_port=grpc_port,
        triton_grpc_url=gateway.triton_grpc_url,
        variables=gateway.variables,
        log_path=log_folder / "open-gateway.log",
    )
    try:
        server.start()
        server.wait_ready(_READY_TIMEOUT_S)
        yield _HOST, http_port
    finally:
        server.stop()


def admission_cost(
    with_it: Server, without_it: Server, plan: Plan, narrator: Narrator
) -> AdmissionCost:
    """Sends what the service sustains without admission to both in turns, on the same schedule."""
    rate_rps = sustainable_rps(without_it, plan, narrator)
    kept: dict[bool, list[int]] = {True: [], False: []}
    for pair in range(_PAIRS):
        # Who begins takes turns too: what warms up or cools down falls on both.
        for has_admission in (True, False) if pair % 2 else (False, True):
            with OpenLoop(with_it if has_admission else without_it) as loop:
                replies = loop.run([Stretch(rate_rps, plan.trial_s)], seed=pair)
            kept[has_admission].append(sum(map(is_kept, replies)))
    ratio = sum(kept[True]) / max(1, sum(kept[False]))
    narrator.say(f"admission: {kept[True]} in time with, {kept[False]} without: {ratio:.3f}")
    return AdmissionCost(rate_rps, tuple(kept[True]), tuple(kept[False]), ratio)


def judge_cost(cost: AdmissionCost) -> Verdict:
    """Holds the ratio against its target."""
    return Verdict(
        "in time with admission / without, at the sustainable rate",
        cost.ratio,
        MIN_RATIO,
        is_lower_bound=True,
        unit="",
    )
