"""Draws a dashboard's panels of what a real Prometheus answers to their own queries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from deploy.observability.panels import Kind, Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from deploy.observability.panels import Board, Panel
    from tests.deploy.observability.watchers import Watch

_MAX_WINDOW_S: Final = 60.0  # a longer one would show what was before the load, which is nothing
_RATE_INTERVAL: Final = "10s"  # of scrapes a second apart
_STEP_S: Final = 1.0


@dataclass(frozen=True)
class Told:
    """What happened while Prometheus watched.

    Attributes:
        words: stands above the picture.
        began_s: when it began, in seconds since 1970.
        length_s: how long it took, in seconds.
        shaded_s: from and to which second of it the panels are shaded.
    """

    words: str
    began_s: float
    length_s: float
    shaded_s: tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line of a panel.

    Attributes:
        legend: its name.
        times_s: from the begin, in seconds.
        values: one for each moment.
    """

    legend: str
    times_s: tuple[float, ...]
    values: tuple[float, ...]


def draw(board: Board, watch: Watch, told: Told, max_panels: int) -> Figure:
    """Draws the first panels of a dashboard that have series."""
    shown: list[tuple[Panel, list[Series]]] = []
    for panel in board.panels:
        if panel.kind is not Kind.NUMBER and len(shown) < max_panels and is_brief(panel):
            series = series_of(panel, watch, told)
            if any(any(each.values) for each in series):
                shown.append((panel, series))
    assert len(shown) > 1, board.name
    rows = (len(shown) + 1) // 2
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(12, 2.5 * rows), layout="constrained")
        figure.suptitle(told.words, fontsize=9, x=0.01, ha="left")
        grid = list(figure.subplots(rows, 2, squeeze=False, sharex=True).flat)
        for axes, (panel, series) in zip(grid, shown, strict=False):
            draw_panel(axes, panel, series, told)
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        for axes in grid[-2:]:
            axes.set_xlabel("seconds")
    return figure


def is_brief(panel: Panel) -> bool:
    """Whether its queries look back over no longer than a stretch of the load."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    windows = re.findall(
        r"(?:\[|:rate)(\d+)([smhd])", " ".join(query.expr for query in panel.queries)
    )
    return all(int(number) * units[unit] <= _MAX_WINDOW_S for number, unit in windows)


def draw_panel(axes: Axes, panel: Panel, series: list[Series], told: Told) -> None:
    """Draws one panel as Grafana would: lines, and dashed in red what is too much."""
    axes.axvspan(*told.shaded_s, color="0.95", linewidth=0)
    for each in series:
        if any(each.values):
            # Digests of models say nothing here.
            name = re.sub(r"-[0-9a-f]{12}", "", each.legend)
            axes.plot(each.times_s, each.values, linewidth=1.3, label=name)
    if panel.limit is not None:
        axes.axhline(panel.limit, color="tab:red", linewidth=0.9, linestyle="--", label="limit")
    unit = {Unit.SECONDS: "s", Unit.PER_SECOND: "a second", Unit.RATIO: "share"}.get(panel.unit, "")
    axes.set_title(f"{panel.title}{f' ({unit})' if unit else ''}", loc="left", fontsize=9)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, told.length_s)
    axes.tick_params(labelbottom=True)
    # Beside the lines, not on them.
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def series_of(panel: Panel, watch: Watch, told: Told) -> list[Series]:
    """Asks a panel's queries."""
    found = []
    for query in panel.queries:
        expression = query.expr.replace("$namespace", ".*")
        for each in watch.ask(
            "query_range",
            query=expression.replace("$__rate_interval", _RATE_INTERVAL),
            start=told.began_s,
            end=told.began_s + told.length_s,
            step=_STEP_S,
        ):
            legend = query.legend
            for label, value in each["metric"].items():
                legend = legend.replace("{{" + label + "}}", value)
            legend = re.sub(r"\{\{.*?\}\}", "", legend).strip()  # labels that it does not have
            points = [(float(at), float(value)) for at, value in each["values"]]
            found.append(
                Series(
                    legend,
                    tuple(at - told.began_s for at, _ in points),
                    tuple(value for _, value in points),
                )
            )
    return found
