"""The same overloads for the gateway's own brake, for none, and for a proxy's limit set by hand.

All stand before the same Triton. Behind the proxy and in place of no brake runs the gateway with
its admission switched off, whose deadlines hold as ever.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.local.triton_server import free_ports
from loadtest.alternatives.haproxy import HaProxy
from loadtest.bench.latencies import Percentiles
from loadtest.bench.load_client import ask_in_turn
from loadtest.overload.admission_cost import open_gateway
from loadtest.overload.figures import is_kept, recovery_s
from loadtest.overload.open_loop import OpenLoop, Stretch
from loadtest.overload.run import sustainable_rps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from loadtest.bench.load import Server
    from loadtest.bench.narrator import Narrator
    from loadtest.bench.stack import Stack
    from loadtest.bench.subject import Subject
    from loadtest.overload.run import Plan

OWN: Final = "this gateway"
NO_BRAKE: Final = "no brake"
MULTIPLES: Final = (2, 10)
LIMITS: Final = (8, 16, 32, 64)
"""At 86 requests a second and half of 500 ms Little's law gives 21."""
_QUEUE_MS: Final = 250
_CALM_RATIO: Final = 0.5
_OK: Final = 200
_SETTLE_S: Final = 60.0
_SETTLED_MS: Final = 250.0
_HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class BrakeFigures:
    """One brake under one overload.

    Attributes:
        brake: its name.
        multiple: of the sustainable rate.
        in_time_ratio: right answers within 500 ms a second, over the sustainable rate.
        answered: latencies of all right answers, late ones included.
        statuses: replies by HTTP status; "0" is no answer.
        recovery_s: see `loadtest.overload.figures.recovery_s`.
    """

    brake: str
    multiple: int
    in_time_ratio: float
    answered: Percentiles
    statuses: Mapping[str, int]
    recovery_s: float


def compare_brakes(
    subject: Subject, haproxy: Path | None, plan: Plan, narrator: Narrator
) -> tuple[float, list[BrakeFigures]]:
    """Sends each brake the same overloads.

    Args:
        subject: the variant and its requests.
        haproxy: the program; None: the proxy is left out.
        plan: how long what takes.
        narrator: is told the figures.

    Returns:
        The rate that this gateway sustains, and the figures.

    Raises:
        BenchError: no rate is sustained, or a server does not accept connections.
        LocalError: a server does not start.
    """
    found: list[BrakeFigures] = []
    with subject.stack() as stack:
        sustained_rps = sustainable_rps(subject.server(stack.address), plan, narrator)
        for brake, address in _in_turn(subject, stack, haproxy):
            for multiple in MULTIPLES:
                found.append(_overload(subject, address, brake, multiple, sustained_rps, plan))
                _tell(narrator, found[-1])
    return sustained_rps, found


def _in_turn(
    subject: Subject, stack: Stack, haproxy: Path | None
) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yields each brake and its address while it runs."""
    yield OWN, stack.address
    with open_gateway(stack.gateway, subject.log_folder) as address:
        yield NO_BRAKE, address
        if haproxy is None:
            return
        for limit in LIMITS:
            with _proxy(haproxy, address[1], limit, subject.log_folder) as proxied:
                yield f"HAProxy, {limit} at a time", proxied


@contextmanager
def _proxy(
    program: Path, backend_port: int, limit: int, log_folder: Path
) -> Iterator[tuple[str, int]]:
    (port,) = free_ports(1, _HOST)
    proxy = HaProxy(
        program=program,
        port=port,
        backend_port=backend_port,
        most_in_flight=limit,
        queue_ms=_QUEUE_MS,
        log_path=log_folder / "haproxy.log",
    )
    with proxy:
        yield proxy.address


def _overload(
    subject: Subject,
    address: tuple[str, int],
    brake: str,
    multiple: int,
    sustained_rps: float,
    plan: Plan,
) -> BrakeFigures:
    stretches = (
        Stretch(multiple * sustained_rps, plan.overload_s),
        Stretch(_CALM_RATIO * sustained_rps, plan.calm_s),
    )
    server = subject.server(address)
    _settle(server)
    with OpenLoop(server) as loop:
        replies = loop.run(stretches, seed=multiple)
    load = [reply for reply in replies if reply.due_s < plan.overload_s]
    return BrakeFigures(
        brake=brake,
        multiple=multiple,
        in_time_ratio=sum(map(is_kept, load)) / plan.overload_s / sustained_rps,
        answered=Percentiles.of(each.latency_s * 1000 for each in load if each.status == _OK),
        statuses=dict(Counter(str(each.status) for each in load)),
        recovery_s=recovery_s(replies, plan.overload_s),
    )


def _settle(server: Server) -> None:
    """Waits until Triton has done with what an overload without a brake left in its queues."""
    end_s = time.perf_counter() + _SETTLE_S
    latencies_ms: list[float] = []
    while not any(each < _SETTLED_MS for each in latencies_ms) and time.perf_counter() < end_s:
        latencies_ms = ask_in_turn(server, 1).latencies_ms


def _tell(narrator: Narrator, figures: BrakeFigures) -> None:
    narrator.say(
        f"{figures.brake:<22} {figures.multiple:>2} times: {figures.in_time_ratio:.2f} of "
        f"sustainable in time, P99 of answers {figures.answered.p99_ms:.0f} ms, recovery "
        f"{figures.recovery_s:.2f} s, {dict(figures.statuses)}"
    )
