"""What a run found: windows condensed to figures.

Ratios are taken within a round and their median over the rounds is reported, because both sides of
a round saw the same machine. Percentiles are of all rounds' latencies together.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtest.bench.latencies import Percentiles
from loadtest.bench.rounds import throughput_ratios

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtest.bench.accounting import Memory
    from loadtest.bench.machine import Machine
    from loadtest.bench.rounds import Round
    from loadtest.bench.window import Window


@dataclass(frozen=True)
class Measured:
    """A contestant over all rounds of one number of clients.

    Attributes:
        throughput_rps: median over the rounds.
        latency: of all answers; empty without clients.
        failures: answers that were none, by what was wrong, with how often.
        window_rps: the throughput of each window.
        cpu_ms_per_request: CPU time of each process that had any, in milliseconds.
        idle_ratio: share of the machine that nobody used, mean over the windows.
        foreign_ratios: share of the machine that other processes took, window by window.
        repeats: how many windows were measured again because of that.
    """

    throughput_rps: float
    latency: Percentiles
    failures: Mapping[str, int]
    window_rps: Sequence[float]
    cpu_ms_per_request: Mapping[str, float]
    idle_ratio: float
    foreign_ratios: Sequence[float]
    repeats: int

    @classmethod
    def of(cls, windows: Sequence[Window]) -> Measured:
        """Condenses a contestant's windows."""
        samples = [window.sample for window in windows]
        requests = sum(sample.throughput_rps * sample.duration_s for sample in samples)
        cpu_s: dict[str, float] = defaultdict(float)
        for sample in samples:
            for name, seconds in sample.cpu.by_process_s.items():
                cpu_s[name] += seconds
        return cls(
            throughput_rps=statistics.median(sample.throughput_rps for sample in samples),
            latency=Percentiles.of(ms for sample in samples for ms in sample.latencies_ms),
            failures=dict(sum((sample.failures for sample in samples), Counter[str]())),
            window_rps=[sample.throughput_rps for sample in samples],
            idle_ratio=statistics.fmean(sample.cpu.idle_ratio for sample in samples),
            cpu_ms_per_request={
                name: seconds * 1e3 / requests
                for name, seconds in sorted(cpu_s.items(), key=lambda entry: -entry[1])
                if seconds > 0 and requests > 0
            },
            foreign_ratios=[sample.cpu.foreign_ratio for sample in samples],
            repeats=sum(window.repeats for window in windows),
        )


@dataclass(frozen=True)
class LoadFigures:
    """The service under so many clients, beside what was measured in turns with it.

    Attributes:
        clients: closed-loop clients.
        contestants: the service and whatever was measured beside it, by name.
        ratios: the service's throughput over each of the others', median over the rounds.
    """

    clients: int
    contestants: Mapping[str, Measured]
    ratios: Mapping[str, float]

    @classmethod
    def of(cls, clients: int, rounds: Sequence[Round], service: str) -> LoadFigures:
        """Condenses the rounds of one number of clients; `service` is the service's name."""
        contestants = {
            name: Measured.of([windows[name] for windows in rounds]) for name in rounds[0]
        }
        ratios = {
            other: statistics.median(paired)
            for other in contestants
            if other != service and (paired := throughput_ratios(rounds, service, other))
        }
        return cls(clients, contestants, ratios)


@dataclass(frozen=True)
class LoneClientFigures:
    """What a server adds to the work when there is nothing to wait for.

    Attributes:
        image_branch_ms: decode and image encoder in-process, one request, one thread; median.
        text_branch_ms: tokenise and text encoder, likewise.
        p50_above_longer_ms: the single client's P50 less the longer branch, median over the rounds.
    """

    image_branch_ms: float
    text_branch_ms: float
    p50_above_longer_ms: float

    @classmethod
    def of(cls, rounds: Sequence[Round], service: str, timed: str) -> LoneClientFigures:
        """Condenses the rounds of one client.

        Args:
            rounds: each with the service and the timed branches.
            service: name of the service.
            timed: name of the contestant that timed the branches.
        """
        branches = [each for windows in rounds if (each := windows[timed].sample.branches)]
        p50_ms = [Percentiles.of(windows[service].sample.latencies_ms).p50_ms for windows in rounds]
        return cls(
            image_branch_ms=statistics.median(each.image_ms for each in branches),
            text_branch_ms=statistics.median(each.text_ms for each in branches),
            p50_above_longer_ms=statistics.median(
                p50 - each.longer_ms for p50, each in zip(p50_ms, branches, strict=True)
            ),
        )


@dataclass(frozen=True)
class Figures:
    """All that a run found.

    Attributes:
        machine: what it was measured on.
        variant, precision: what was served: `name@digest`, and for example `fp32`.
        corpus: what the requests are like, in numbers.
        window_s: how long one window was.
        starts_s: from start to first answer, each start of the run; the last one is warm.
        in_process_rps: calibration: throughput of each layout without a server.
        baseline_rps: calibration: throughput of each setting of the baseline.
        layout, baseline_settings: the best ones, which were then measured.
        loads: by number of clients, ascending.
        lone_client: latency at one client beside the work itself.
        memory: of the service, after the load.
    """

    machine: Machine
    variant: str
    precision: str
    corpus: Mapping[str, int]
    window_s: float
    starts_s: Sequence[float]
    in_process_rps: Mapping[str, float]
    baseline_rps: Mapping[str, float]
    layout: str
    baseline_settings: str
    loads: Sequence[LoadFigures]
    lone_client: LoneClientFigures
    memory: Memory

    @property
    def failures(self) -> Counter[str]:
        """Answers that were none, of all windows."""
        return sum(
            (
                Counter(measured.failures)
                for load in self.loads
                for measured in load.contestants.values()
            ),
            Counter[str](),
        )
