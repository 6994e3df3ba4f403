"""What a tuning leaves beside the recipe: figures as JSON, a table as Markdown, a plot."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure

from exporters.atomic import atomic_file
from loadtest.bench import report
from loadtest.bench.machine import this_machine
from loadtest.tuning.search import METHOD
from loadtest.tuning.settings import changes, served

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from loadtest.tuning.measuring import Measurement
    from loadtest.tuning.search import Tuning

_BEST: Final = "#1b4d3e"
_CURRENT: Final = "#b3261e"
_OTHER: Final = "#8aa39b"
_INCHES_PER_ROW: Final = 0.34


@dataclass(frozen=True)
class Row:
    """One setting, over all its measurements.

    Attributes:
        name: in what it is not as it is now.
        rates_rps: highest rates within the limit; 0 where none was kept.
        p99s_ms: at those rates.
        pss_mib: memory, the mean.
        foreign_ratio: the largest share of the machine that others took.
        is_current, is_best: whether it is the one or the other.
    """

    name: str
    rates_rps: tuple[float, ...]
    p99s_ms: tuple[float, ...]
    pss_mib: float
    foreign_ratio: float
    is_current: bool
    is_best: bool

    @property
    def rate_rps(self) -> float:
        """The mean."""
        return fmean(self.rates_rps)

    @property
    def p99_ms(self) -> float:
        """The mean; NaN where no rate was kept."""
        return fmean(self.p99s_ms) if self.p99s_ms else math.nan


def rows(tuning: Tuning) -> list[Row]:
    """Gathers the measurements of each setting, in the order of their first."""
    gathered: dict[Any, list[Measurement]] = {}
    for each in tuning.measurements:
        gathered.setdefault(each.candidate, []).append(each)
    return [
        Row(
            name=changes(candidate, tuning.current),
            rates_rps=tuple(each.rate_rps for each in of),
            p99s_ms=tuple(each.best.p99_ms for each in of if each.best),
            pss_mib=fmean(each.pss_mib for each in of),
            foreign_ratio=max(each.foreign_ratio for each in of),
            is_current=candidate == tuning.current,
            is_best=candidate == tuning.best,
        )
        for candidate, of in gathered.items()
    ]


def summary(tuning: Tuning) -> str:
    """Says what came out, in a few lines."""
    found = changes(tuning.best, tuning.current)
    gain, drift = tuning.gain_ratio, tuning.drift_ratio
    lines = [
        f"{tuning.tried} of {tuning.possible} settings were tried ({METHOD}).",
        f"Best: {found}."
        if tuning.best != tuning.current
        else "Best: as it is; nothing that was tried is better by the margin.",
    ]
    if gain is not None and tuning.best != tuning.current:
        lines.append(f"In the last comparison, by turns, it carried {gain:.2f} times as much.")
    if drift is not None:
        lines.append(
            f"The setting as it is carried at the end {drift:.2f} times what it carried at first: "
            "that is the machine, and no setting."
        )
    if not tuning.is_complete:
        lines.append("The search did not come to its end.")
    return "\n".join(lines)


def write_evidence(path: Path, tuning: Tuning, conditions: dict[str, Any]) -> None:
    """Writes all three; `.md` and `.png` stand beside the JSON.

    Args:
        path: the JSON file.
        tuning: complete or not, with at least one measurement.
        conditions: what else a reader has to know: variant, seconds, and so on.

    Raises:
        OutputError: the figures cannot be written.
    """
    figures = {
        **conditions,
        "machine": asdict(this_machine()),
        "method": METHOD,
        "p99_limit_ms": tuning.limit_ms,
        "is_complete": tuning.is_complete,
        "tried": tuning.tried,
        "possible": tuning.possible,
        "current": served(tuning.current),
        "best": served(tuning.best),
        "gain_ratio": tuning.gain_ratio,
        "drift_ratio": tuning.drift_ratio,
        "measurements": [_measurement(each) for each in tuning.measurements],
    }
    report.write_json(path, figures, ())
    with atomic_file(path.with_suffix(".md")) as scratch:
        scratch.write_text(markdown(tuning), encoding="utf-8")
    with atomic_file(path.with_suffix(".png")) as scratch:
        _plot(tuning).savefig(scratch, dpi=110)


def markdown(tuning: Tuning) -> str:
    """The table, best first."""
    head = (
        "| setting | requests/s within the limit | P99 there, ms | memory, MiB | foreign CPU |\n"
        "|---|---|---|---|---|\n"
    )
    lines = []
    for row in sorted(rows(tuning), key=lambda each: -each.rate_rps):
        name = f"**{row.name}**" if row.is_best else row.name
        seen = f"{row.rate_rps:.1f}"
        if len(row.rates_rps) > 1:
            seen += f" ({min(row.rates_rps):.1f} to {max(row.rates_rps):.1f})"
        p99 = "none kept" if math.isnan(row.p99_ms) else f"{row.p99_ms:.0f}"
        memory = "" if math.isnan(row.pss_mib) else f"{row.pss_mib:.0f}"
        lines.append(f"| {name} | {seen} | {p99} | {memory} | {row.foreign_ratio:.0%} |")
    return f"{summary(tuning)}\n\n{head}" + "\n".join(lines) + "\n"


def _measurement(measured: Measurement) -> dict[str, Any]:
    attempts = [asdict(each) for each in measured.attempts]
    for each in attempts:  # JSON has no infinity: what never came has no latency
        for key in ("p50_ms", "p99_ms"):
            each[key] = None if math.isinf(each[key]) else each[key]
    return {
        "why": measured.why,
        "settings": served(measured.candidate),
        "rate_rps": measured.rate_rps,
        "attempts": attempts,
        "foreign_ratio": measured.foreign_ratio,
        "pss_mib": measured.pss_mib,
    }


def _plot(tuning: Tuning) -> Figure:
    """Bars of the means, a dot for each measurement; the best on top."""
    found = sorted(rows(tuning), key=lambda each: each.rate_rps)
    figure = Figure(figsize=(10, 1.6 + _INCHES_PER_ROW * len(found)), layout="constrained")
    rates, latencies = figure.subplots(1, 2, sharey=True)
    _bars(rates, found, [each.rate_rps for each in found], [each.rates_rps for each in found])
    _bars(latencies, found, [each.p99_ms for each in found], [each.p99s_ms for each in found])
    rates.set_yticks(range(len(found)), [each.name for each in found])
    rates.set_xlabel("requests a second")
    rates.set_title("highest rate within the limit")
    latencies.set_xlim(right=1.05 * tuning.limit_ms)
    latencies.axvline(tuning.limit_ms, color=_CURRENT, linewidth=1, linestyle="--")
    latencies.set_xlabel("ms; dashed: the limit")
    latencies.set_title("P99 at that rate")
    figure.suptitle("green: the best, red: as it is; a dot is one measurement", fontsize="small")
    return figure


def _bars(
    axes: Axes, found: Sequence[Row], means: Sequence[float], seen: Sequence[Sequence[float]]
) -> None:
    colours = [_BEST if each.is_best else _CURRENT if each.is_current else _OTHER for each in found]
    heights = [0.0 if math.isnan(mean) else mean for mean in means]
    axes.barh(range(len(found)), heights, color=colours, alpha=0.75, height=0.7)
    for row, values in enumerate(seen):
        axes.plot(values, [row] * len(values), "o", color="black", markersize=3)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
