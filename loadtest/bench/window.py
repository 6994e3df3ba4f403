"""One stretch of measuring, done again when other processes took too much of the machine meanwhile.

`Contestant` is what can be measured; `rounds` lets contestants take turns.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from loadtest.bench.accounting import CpuUse, read_cpu
from loadtest.bench.load_client import ClosedLoop

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.bench.load import Server
    from loadtest.bench.roofline import Layout, Roofline
    from loadtest.bench.worker import Branches

GATEWAY: Final = "gateway"
BASELINE: Final = "baseline"
IN_PROCESS: Final = "in-process"
ONE_REQUEST: Final = "one request in-process"

MAX_FOREIGN_RATIO: Final = 0.15
"""A window in which other processes took more of the machine than this is measured again."""

_MAX_REPEATS: Final = 2
_LEAD_IN_S: Final = 0.4


@dataclass(frozen=True)
class Sample:
    """What one stretch gave.

    Attributes:
        cpu: who used the CPU meanwhile.
        duration_s: how long it was.
        throughput_rps: requests a second.
        latencies_ms: of the answers; empty where there is no client.
        failures: answers that were none, by what was wrong, with how often.
        branches: of the in-process work for one request, where that is what was timed.
    """

    cpu: CpuUse
    duration_s: float
    throughput_rps: float = 0.0
    latencies_ms: tuple[float, ...] = ()
    failures: Counter[str] = field(default_factory=Counter)
    branches: Branches | None = None


class Contestant(Protocol):
    """Something whose speed is measured."""

    @property
    def name(self) -> str:
        """What people call it."""

    def measure(self, duration_s: float) -> Sample:
        """Keeps it busy for a while."""


@dataclass(frozen=True)
class UnderLoad:
    """A server with so many closed-loop clients."""

    name: str
    server: Server
    clients: int

    def measure(self, duration_s: float) -> Sample:
        """Counts between the moment all clients are in step and the end of the time."""
        with ClosedLoop(self.server, self.clients) as loop:
            begun = loop.run(_LEAD_IN_S)
            before = read_cpu()
            load = loop.run(duration_s)
            after = read_cpu()
            ended = loop.drain()
        return Sample(
            cpu=CpuUse.between(before, after),
            duration_s=load.duration_s,
            throughput_rps=load.throughput_rps,
            latencies_ms=tuple(load.latencies_ms),
            failures=begun.failures + load.failures + ended.failures,
        )


@dataclass(frozen=True)
class InProcess:
    """The work without a server, in one layout."""

    roofline: Roofline
    layout: Layout
    name: str = IN_PROCESS

    def measure(self, duration_s: float) -> Sample:
        """Lets all workers work."""
        before = read_cpu()
        throughput_rps = self.roofline.throughput_rps(self.layout, duration_s)
        return Sample(CpuUse.between(before, read_cpu()), duration_s, throughput_rps)


@dataclass(frozen=True)
class OneRequest:
    """The two branches of the work for one request alone."""

    roofline: Roofline
    name: str = ONE_REQUEST

    def measure(self, duration_s: float) -> Sample:
        """Times both branches by turns in one thread."""
        before = read_cpu()
        branches = self.roofline.branches(duration_s)
        return Sample(CpuUse.between(before, read_cpu()), duration_s, branches=branches)


@dataclass(frozen=True)
class Window:
    """The calmest of the samples that were taken of a contestant in its turn.

    Attributes:
        contestant: its name.
        repeats: how often it was measured again because the machine was not calm.
        sample: the one with the least foreign CPU; its failures are those of all attempts.
    """

    contestant: str
    repeats: int
    sample: Sample

    @property
    def is_calm(self) -> bool:
        """Whether other processes left it enough of the machine."""
        return self.sample.cpu.foreign_ratio <= MAX_FOREIGN_RATIO


def measure_window(
    contestant: Contestant, duration_s: float, may_repeat: Callable[[], bool]
) -> Window:
    """Measures a contestant, again when the machine was not calm.

    Args:
        contestant: who.
        duration_s: how long an attempt takes.
        may_repeat: asked before each further attempt: a busy machine cannot make a run endless.
    """
    samples = [contestant.measure(duration_s)]
    while (
        samples[-1].cpu.foreign_ratio > MAX_FOREIGN_RATIO
        and len(samples) <= _MAX_REPEATS
        and may_repeat()
    ):
        samples.append(contestant.measure(duration_s))
    calmest = min(samples, key=lambda sample: sample.cpu.foreign_ratio)
    failures = sum((sample.failures for sample in samples), Counter[str]())
    return Window(contestant.name, len(samples) - 1, replace(calmest, failures=failures))
