"""The simulation beside the real service: the same loads to both, and how far they are apart.

Rounds, each with all loads, a profile on both sides of each: a machine has spells of a minute or so
in which the same work takes a fifth longer. In one round a spell meets a load and not its profiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

from loadtest.bench.latencies import Percentiles
from loadtest.bench.targets import Verdict
from loadtest.capacity.profile import mean_profile
from loadtest.capacity.simulation import BUDGET_S, Setting, simulate
from loadtest.overload.figures import is_kept
from loadtest.overload.open_loop import OpenLoop, Stretch, arrivals
from loadtest.traffic.shapes import Steady

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from loadtest.bench.load import Server
    from loadtest.bench.narrator import Narrator
    from loadtest.capacity.measuring import Measured
    from loadtest.capacity.profile import Profile

MAX_DIFFERENCE: Final = 0.15
LOADS: Final = (0.3, 0.5, 0.7, 1.3, 2.0)
"""Of what the service can do. Near 1 a little more or less load changes P99 by much."""

_ROUNDS: Final = 3

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

    @classmethod
    def mean(cls, seen: Sequence[Seen]) -> Seen:
        """Returns what several runs of one load gave."""
        return cls(
            fmean(each.p50_ms for each in seen),
            fmean(each.p99_ms for each in seen),
            fmean(each.shed_ratio for each in seen),
        )

    def __str__(self) -> str:
        """As it stands in a line of the narration."""
        return f"P50 {self.p50_ms:.1f}, P99 {self.p99_ms:.1f} ms, shed {self.shed_ratio:.1%}"


@dataclass(frozen=True)
class Compared:
    """One load, both ways."""

    rate_rps: float
    real: Seen
    simulated: Seen

    @classmethod
    def mean(cls, rounds: Sequence[Compared]) -> Compared:
        """Returns what several rounds of one load gave."""
        return cls(
            rounds[0].rate_rps,
            Seen.mean([each.real for each in rounds]),
            Seen.mean([each.simulated for each in rounds]),
        )

    def __str__(self) -> str:
        """As it stands in a line of the narration."""
        return f"{self.rate_rps:.1f}/s: measured {self.real}; simulated {self.simulated}"

    @property
    def differences(self) -> dict[str, float]:
        """How far the simulation is off: relative for latencies, in requests for the shed ones."""
        return {
            "P50": abs(self.simulated.p50_ms / self.real.p50_ms - 1),
            "P99": abs(self.simulated.p99_ms / self.real.p99_ms - 1),
            "shed": abs(self.simulated.shed_ratio - self.real.shed_ratio),
        }


@dataclass(frozen=True)
class Rounds:
    """All that was measured and simulated.

    Attributes:
        measured: one profile before each load and one behind the last, in order.
        compared: of each round each load.
    """

    measured: Sequence[Measured]
    compared: Sequence[Sequence[Compared]]

    @property
    def loads(self) -> list[Compared]:
        """Each load over all rounds."""
        return [Compared.mean(each) for each in zip(*self.compared, strict=True)]


def take_rounds(
    server: Server, measure: Callable[[], Measured], seconds: float, narrator: Narrator
) -> Rounds:
    """Sends each load to the service, and simulates it from the profiles on both sides of it.

    Args:
        server: the running service.
        measure: measures a profile of it.
        seconds: of each load, all rounds together.
        narrator: is told of each.
    """
    measured = [measure()]
    most_rps = measured[0].profile.most_rps(measured[0].beside_cpu_ms)
    compared: list[list[Compared]] = []
    for seed in range(_ROUNDS):
        compared.append([])
        for rate_rps in (ratio * most_rps for ratio in LOADS):
            real = _drive(server, rate_rps, seconds / _ROUNDS, seed)
            measured.append(measure())
            before, after = measured[-2:]
            profile = mean_profile(before.profile, after.profile)
            beside_cpu_ms = (before.beside_cpu_ms + after.beside_cpu_ms) / 2
            simulated = _simulate(profile, beside_cpu_ms, rate_rps, seconds / _ROUNDS, seed)
            compared[-1].append(Compared(rate_rps, real, simulated))
            narrator.say(str(compared[-1][-1]))
    return Rounds(measured, compared)


def _drive(server: Server, rate_rps: float, seconds: float, seed: int) -> Seen:
    with OpenLoop(server) as loop:
        replies = loop.run([Stretch(rate_rps, _WARM_UP_S + seconds)], seed)
    counted = [reply for reply in replies if reply.due_s >= _WARM_UP_S]
    kept = [reply for reply in counted if is_kept(reply)]
    latency = Percentiles.of(1000 * reply.latency_s for reply in kept)
    return Seen(latency.p50_ms, latency.p99_ms, 1 - len(kept) / max(1, len(counted)))


def _simulate(
    profile: Profile, beside_cpu_ms: float, rate_rps: float, seconds: float, seed: int
) -> Seen:
    """Simulates what `_drive` does: requests are due at the same times, some times over."""
    duration_s = _WARM_UP_S + seconds
    due_s = tuple(arrivals([Stretch(rate_rps, duration_s)], seed))
    runs = [
        simulate(
            Setting(
                profile=profile,
                replicas=1,
                shape=Steady(kind="steady", rate_rps=rate_rps),
                duration_s=duration_s,
                warm_up_s=_WARM_UP_S,
                seed=run,
                due_s=due_s,
                beside_cpu_ms=beside_cpu_ms,
            )
        )
        for run in range(_RUNS)
    ]
    return Seen.mean(
        [Seen(each.latency.p50_ms, each.latency.p99_ms, each.shed_ratio) for each in runs]
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
