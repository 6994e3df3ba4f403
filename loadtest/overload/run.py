"""The sustainable rate, and overloads of it with a calm after each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from loadtest.bench.accounting import CLIENT, CpuUse, read_cpu
from loadtest.bench.errors import BenchError
from loadtest.bench.load_client import ClosedLoop
from loadtest.overload.figures import MIN_GOODPUT_RATIO, OverloadFigures, is_kept
from loadtest.overload.open_loop import OpenLoop, Stretch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.bench.load import Server
    from loadtest.bench.narrator import Narrator

MULTIPLES: Final = tuple(MIN_GOODPUT_RATIO)
_CLIENTS: Final = 8
_STEPS: Final = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5)
_CALM_RATIO: Final = 0.5


class NotSustainableError(BenchError):
    """At no rate that was tried 99 of 100 requests were answered within 500 ms."""

    def __init__(self, lowest_rps: float) -> None:
        super().__init__(
            f"Even at {lowest_rps:.1f} requests a second fewer than 99 of 100 were answered within "
            "500 ms: is something else using this machine?"
        )
        self.lowest_rps = lowest_rps


@dataclass(frozen=True)
class Plan:
    """How long what takes, in seconds.

    Attributes:
        overload_s: each overload.
        calm_s: at half of the sustainable rate, after each.
        trial_s: each rate that is tried as the sustainable one.
        kept_ratio: share of requests, not in seconds, that a sustainable rate answers in time.
    """

    overload_s: float = 30.0
    calm_s: float = 3.0
    trial_s: float = 8.0
    kept_ratio: float = 0.99

    @classmethod
    def quick(cls) -> Self:
        """As short as it can be; the first rate that is tried counts, for its figures are none."""
        return cls(overload_s=1.0, calm_s=0.5, trial_s=1.0, kept_ratio=0.0)


def sustainable_rps(server: Server, plan: Plan, narrator: Narrator) -> float:
    """Finds the highest open-loop rate of which 99 of 100 requests are answered within 500 ms.

    The rates that are tried are shares of what 8 closed-loop clients get through.

    Raises:
        NotSustainableError: there is none.
    """
    with ClosedLoop(server, _CLIENTS) as clients:
        clients.run(1.0)
        # A quick run on a busy machine may see none.
        closed_rps = max(1.0, clients.run(plan.trial_s / 2).throughput_rps)
    narrator.say(f"{_CLIENTS} closed-loop clients: {closed_rps:.1f}/s")
    for step in _STEPS:
        rate_rps = step * closed_rps
        with OpenLoop(server) as loop:
            replies = loop.run([Stretch(rate_rps, plan.trial_s)])
        kept = sum(map(is_kept, replies))
        narrator.say(f"open loop {rate_rps:6.1f}/s: {kept / len(replies):.2%} within 500 ms")
        if kept >= plan.kept_ratio * len(replies):
            # What was really sent: a Poisson process of 8 s may be off by a twentieth.
            return len(replies) / plan.trial_s
    raise NotSustainableError(_STEPS[-1] * closed_rps)


def overload(
    server: Server, multiple: int, sustained_rps: float, plan: Plan, narrator: Narrator
) -> OverloadFigures:
    """Sends a multiple of the sustainable rate for a while, then half of it."""
    stretches: Sequence[Stretch] = (
        Stretch(multiple * sustained_rps, plan.overload_s),
        Stretch(_CALM_RATIO * sustained_rps, plan.calm_s),
    )
    before = read_cpu()
    with OpenLoop(server) as loop:
        replies = loop.run(stretches, seed=multiple)
    cpu = CpuUse.between(before, read_cpu())
    figures = OverloadFigures.of(multiple, sustained_rps, replies, plan.overload_s, cpu)
    narrator.say(
        f"{multiple:>2} times, {figures.offered_rps:6.1f}/s: {figures.in_time_rps:5.1f}/s in time "
        f"({figures.goodput_ratio:.0%} of sustainable), P99 of admitted "
        f"{figures.admitted.p99_ms:.0f} ms, of refusals {figures.refusals.p99_ms:.1f} ms, recovery "
        f"{figures.recovery_s:.2f} s, load tool {cpu.by_process_s.get(CLIENT, 0.0):.1f} CPU s, "
        f"foreign CPU {cpu.foreign_ratio:.0%}, {figures.statuses}"
    )
    return figures
