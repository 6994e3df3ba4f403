"""What the service must reach, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadtest.bench.window import BASELINE, GATEWAY, IN_PROCESS

if TYPE_CHECKING:
    from loadtest.bench.figures import Figures

TARGET_CLIENTS: Final = 16

MIN_IN_PROCESS_RATIO: Final = 0.85
MIN_BASELINE_RATIO: Final = 0.95
MAX_P99_MS: Final = 500.0
MAX_P50_ABOVE_LONGER_MS: Final = 8.0
MAX_PSS_MIB: Final = 800.0
MAX_START_S: Final = 5.0


@dataclass(frozen=True)
class Verdict:
    """A target and the figure that it is held against.

    Attributes:
        name: what is wanted.
        figure: what was measured.
        limit: the bound.
        is_lower_bound: whether the figure must be at least the limit; otherwise it must stay below.
        unit: of both; empty for a ratio or a count.
    """

    name: str
    figure: float
    limit: float
    is_lower_bound: bool
    unit: str

    @property
    def is_met(self) -> bool:
        """Whether the figure is good enough; one that could not be measured (NaN) is not."""
        return self.figure >= self.limit if self.is_lower_bound else self.figure < self.limit

    @property
    def shown(self) -> str:
        """The figure in its unit, with so many digits that no near miss looks met."""
        is_at_least = self.figure >= self.limit
        text = ""
        for decimals in range(2, 10):
            text = f"{self.figure:.{decimals}f}"
            if (float(text) >= self.limit) is is_at_least:
                break
        return f"{text} {self.unit}".rstrip()


def judge(figures: Figures) -> tuple[Verdict, ...]:
    """Holds the figures of a run against all targets."""
    load = next(load for load in figures.loads if load.clients == TARGET_CLIENTS)
    at_least, below = True, False
    nothing = float("nan")
    return (
        Verdict(
            f"throughput at {TARGET_CLIENTS} clients / in-process",
            load.ratios.get(IN_PROCESS, nothing),
            MIN_IN_PROCESS_RATIO,
            at_least,
            "",
        ),
        Verdict(
            f"throughput at {TARGET_CLIENTS} clients / baseline",
            load.ratios.get(BASELINE, nothing),
            MIN_BASELINE_RATIO,
            at_least,
            "",
        ),
        Verdict(
            f"P99 at {TARGET_CLIENTS} clients",
            load.contestants[GATEWAY].latency.p99_ms,
            MAX_P99_MS,
            below,
            "ms",
        ),
        Verdict(
            "P50 of one client above the longer branch",
            figures.lone_client.p50_above_longer_ms,
            MAX_P50_ABOVE_LONGER_MS,
            below,
            "ms",
        ),
        Verdict("memory of all processes (PSS)", figures.memory.pss_mib, MAX_PSS_MIB, below, "MiB"),
        Verdict("warm start to first answer", figures.starts_s[-1], MAX_START_S, below, "s"),
        Verdict("wrong or refused answers", figures.failures.total(), 1, below, ""),
    )
