"""A modest client alone, then beside a greedy one.

The share of one of two clients is half of what the service gets through; the greedy one sends ten
times that, the modest one half of it, both open loop.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from loadtest.bench.latencies import Percentiles
from loadtest.bench.targets import Verdict
from loadtest.overload.figures import is_kept
from loadtest.overload.open_loop import OpenLoop, Reply, Stretch
from loadtest.overload.run import Plan, sustainable_rps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.bench.load import Server
    from loadtest.bench.narrator import Narrator

GREED: Final = 10
MAX_P99_MS: Final = 500.0
MIN_KEPT_RATIO: Final = 0.95
"""Of the modest client's requests; a P99 of what was let in would say nothing of what was not."""

CLIENTS: Final = ("modest", "greedy")
_SHARES: Final = 2
_MODEST_RATIO: Final = 0.5  # of its share
_SETTLING_S: Final = 1.0  # from the greedy client's first request until all is in step


@dataclass(frozen=True)
class ClientFigures:
    """What one client got.

    Attributes:
        offered_rps: its requests, per second.
        in_time_rps: those that were answered within 500 ms, per second.
        kept_ratio: the second over the first.
        latency: of all its requests that were not refused.
        problems: its requests that ended in one, by code.
    """

    offered_rps: float
    in_time_rps: float
    kept_ratio: float
    latency: Percentiles
    problems: Mapping[str, int]

    @classmethod
    def of(cls, replies: Sequence[Reply], duration_s: float) -> Self:
        """Computes them from what was due after the settling."""
        counted = [reply for reply in replies if reply.due_s >= _SETTLING_S]
        kept = sum(map(is_kept, counted))
        return cls(
            offered_rps=len(counted) / duration_s,
            in_time_rps=kept / duration_s,
            kept_ratio=kept / max(1, len(counted)),
            latency=Percentiles.of(r.latency_s * 1000 for r in counted if r.status != 429),
            problems=dict(Counter(r.code or str(r.status) for r in counted if r.status != 200)),
        )

    def __str__(self) -> str:
        return (
            f"{self.offered_rps:.1f}/s sent, {self.kept_ratio:.1%} within 500 ms, P99 "
            f"{self.latency.p99_ms:.0f} ms, {dict(self.problems)}"
        )


@dataclass(frozen=True)
class FairnessFigures:
    """One run.

    Attributes:
        sustainable_rps: what the service gets through.
        alone: the modest client with nobody beside it.
        modest: the same beside the greedy one.
        greedy: the other.
    """

    sustainable_rps: float
    alone: ClientFigures
    modest: ClientFigures
    greedy: ClientFigures


def measure(
    server: Server, keys: Mapping[str, str], plan: Plan, narrator: Narrator
) -> FairnessFigures:
    """Measures both clients; they differ in their API key.

    Args:
        server: the service.
        keys: the key of each of `CLIENTS`.
        plan: how long.
        narrator: is told the figures.
    """
    sustained_rps = sustainable_rps(server, plan, narrator)
    share_rps = sustained_rps / _SHARES
    modest, greedy = (_as_client(server, keys[name]) for name in CLIENTS)

    def load(client: Server, rate_rps: float, seed: int) -> ClientFigures:
        with OpenLoop(client) as loop:
            replies = loop.run([Stretch(rate_rps, _SETTLING_S + plan.overload_s)], seed)
        return ClientFigures.of(replies, plan.overload_s)

    alone = load(modest, _MODEST_RATIO * share_rps, 0)
    narrator.say(f"modest alone: {alone}")
    with ThreadPoolExecutor(2) as threads:
        both = (
            threads.submit(load, modest, _MODEST_RATIO * share_rps, 0),
            threads.submit(load, greedy, GREED * share_rps, 1),
        )
        figures = FairnessFigures(sustained_rps, alone, both[0].result(), both[1].result())
    narrator.say(f"modest beside: {figures.modest}")
    narrator.say(f"greedy: {figures.greedy}")
    return figures


def judge(figures: FairnessFigures) -> tuple[Verdict, ...]:
    """Holds the modest client's figures against the targets."""
    p99_ms, kept_ratio = figures.modest.latency.p99_ms, figures.modest.kept_ratio
    beside = f"beside a client that sends {GREED} times its share"
    return (
        Verdict(f"P99 of a client {beside}", p99_ms, MAX_P99_MS, is_lower_bound=False, unit="ms"),
        Verdict(f"in time {beside}", kept_ratio, MIN_KEPT_RATIO, is_lower_bound=True, unit=""),
    )


def _as_client(server: Server, key: str) -> Server:
    line = f"X-Api-Key: {key}\r\n\r\n".encode()
    requests = []
    for request in server.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        requests.append(b"%b\r\n%b%b" % (head, line, body))
    return replace(server, requests=tuple(requests))
