"""The simulation beside the real service: the same loads to both, and how far they are apart."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

from loadtest.bench.latencies import Percentiles
from loadtest.bench.targets import Verdict
from loadtest.capacity.simulation import BUDGET_S, Setting, simulate
from loadtest.overload.figures import is_kept
from loadtest.overload.open_loop import OpenLoop, Stretch, arrivals
from loadtest.traffic.shapes import Steady

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadtest.bench.load import Server
    from loadtest.capacity.profile import Profile

MAX_DIFFERENCE: Final = 0.15
LOADS: Final = (0.3, 0.5, 0.7, 1.3, 2.0)
"""Of what the service can do. Near 1 a little more or less load changes P99 by much."""

_WARM_UP_S: Final = 5.0
_RUNS: Final = 5


@dataclass(frozen=True)
class Seen:
    """What one load gave, really or simulated.

    Attributes:
        p50_ms: of answers in time.
        p99_ms: of answers in time.
        shed_ratio: refused or late, of all.
    """

    p50_ms: float
    p99_ms: float
    shed_ratio: float

    def __str__(self) -> str:
        """As it stands in a line of the narration."""
        return f"P50 {self.p50_ms:.1f}, P99 {self.p99_ms:.1f} ms, shed {self.shed_ratio:.1%}"


@dataclass(frozen=True)
class Compared:
    """One load, both ways."""

    rate_rps: float
    real: Seen
    simulated: Seen

    @property
    def differences(self) -> dict[str, float]:
        """How far the simulation is off: relative for latencies, in requests for the shed ones."""
        return {
            "P50": abs(self.simulated.p50_ms / self.real.p50_ms - 1),
            "P99": abs(self.simulated.p99_ms / self.real.p99_ms - 1),
            "shed": abs(self.simulated.shed_ratio - self.real.shed_ratio),
        }


def drive(server: Server, rate_rps: float, seconds: float) -> Seen:
    """Sends a load to the service."""
    with OpenLoop(server) as loop:
        replies = loop.run([Stretch(rate_rps, _WARM_UP_S + seconds)])
    counted = [reply for reply in replies if reply.due_s >= _WARM_UP_S]
    kept = [reply for reply in counted if is_kept(reply)]
    latency = Percentiles.of(1000 * reply.latency_s for reply in kept)
    return Seen(latency.p50_ms, latency.p99_ms, 1 - len(kept) / max(1, len(counted)))


def simulated(profile: Profile, beside_cpu_ms: float, rate_rps: float, seconds: float) -> Seen:
    """Simulates what `drive` does: requests are due at the same times, some times over.

    Args:
        profile: measured on the same machine, at about the same time.
        beside_cpu_ms: CPU time of gateway and load tool for one request.
        rate_rps: requests a second.
        seconds: that count.
    """
    duration_s = _WARM_UP_S + seconds
    due_s = tuple(arrivals([Stretch(rate_rps, duration_s)], seed=0))
    runs = [
        simulate(
            Setting(
                profile=profile,
                replicas=1,
                shape=Steady(kind="steady", rate_rps=rate_rps),
                duration_s=duration_s,
                warm_up_s=_WARM_UP_S,
                seed=seed,
                due_s=due_s,
                beside_cpu_ms=beside_cpu_ms,
            )
        )
        for seed in range(_RUNS)
    ]
    return Seen(
        fmean(each.latency.p50_ms for each in runs),
        fmean(each.latency.p99_ms for each in runs),
        fmean(each.shed_ratio for each in runs),
    )


def judge(all_loads: Sequence[Compared]) -> tuple[Verdict, ...]:
    """Holds each difference against 15 per cent."""
    return tuple(
        Verdict(f"{name} at {each.rate_rps:.0f}/s, off by", off, MAX_DIFFERENCE, False, "")
        for each in all_loads
        for name, off in each.differences.items()
    )


def plot(path: Path, all_loads: Sequence[Compared]) -> None:
    """Draws both side by side, with the band of 15 per cent around what was measured."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    names = {"p50_ms": "P50, ms", "p99_ms": "P99, ms", "shed_ratio": "shed, of all"}
    rates = [each.rate_rps for each in all_loads]
    for axes, (name, label) in zip(figure.subplots(1, 3), names.items(), strict=True):
        real = [getattr(each.real, name) for each in all_loads]
        band = [MAX_DIFFERENCE if name == "shed_ratio" else MAX_DIFFERENCE * v for v in real]
        low, high = ([v + sign * b for v, b in zip(real, band, strict=True)] for sign in (-1, 1))
        axes.fill_between(rates, low, high, color="#d5e8df", label="measured, 15 %")
        axes.plot(rates, real, "o-", color="#1b4d3e", label="measured")
        simulated = [getattr(each.simulated, name) for each in all_loads]
        axes.plot(rates, simulated, "x--", color="#b3261e", label="simulated")
        if name == "p99_ms":
            axes.axhline(1000 * BUDGET_S, color="#888888", linewidth=1)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("requests a second")
        axes.set_title(label)
    axes.legend(fontsize="small")
    scratch = path.with_suffix(".new")
    figure.savefig(scratch, format="png", dpi=110)
    scratch.replace(path)
