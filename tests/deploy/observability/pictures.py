"""`python -m tests.deploy.observability.pictures`: draws dashboards from a real Prometheus.

The demo's stack is asked by a few clients, then by many more than it can answer, then by few again.
What Prometheus then answers to the panels' own queries goes into `deploy/observability/pictures/`.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import matplotlib as mpl
from matplotlib.figure import Figure

from deploy.observability.boards import BOARDS
from deploy.observability.panels import Kind, Unit
from tests.conftest import DEMO, ROOT
from tests.deploy.observability.watched_stack import Watched, watched_stack
from tests.deploy.observability.watchers import OBSERVABILITY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from deploy.observability.panels import Board, Panel

STRETCHES: Final = ((2, 30.0), (48, 30.0), (2, 30.0))
"""Clients at a time, and for how many seconds."""
_MAX_PANELS: Final = 6
_MAX_WINDOW_S: Final = 60.0  # a longer one would show what was before the load, which is nothing
_RATE_INTERVAL: Final = "10s"  # of scrapes a second apart
_STEP_S: Final = 1.0
_SETTLE_S: Final = 3.0


def main() -> None:
    """Runs the load and writes a picture for each dashboard that has something to show."""
    folder = OBSERVABILITY / "pictures"
    folder.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="diptych-pictures-") as scratch,
        watched_stack(ROOT / "model_repository", Path(scratch)) as watched,
    ):
        began_s = time.time()
        time.sleep(_SETTLE_S)  # for rates, which need two scrapes
        for clients, duration_s in STRETCHES:
            sys.stderr.write(f"{clients} clients for {duration_s:.0f} s\n")
            ask_for(watched.url, clients, duration_s)
        for board in BOARDS:
            if figure := draw(board, watched, began_s):
                target = folder / f"{board.name}.png"
                figure.savefig(target, dpi=80, pil_kwargs={"optimize": True})
                sys.stderr.write(f"{target}\n")


def ask_for(url: str, clients: int, duration_s: float) -> None:
    """Keeps so many clients asking."""
    sample_folder = ROOT / ".diptych" / "samples" / DEMO
    fields = json.loads((sample_folder / "sample.json").read_text(encoding="utf-8"))
    image = (sample_folder / fields["image"]).read_bytes()
    is_over = threading.Event()

    def keep_asking(client: int) -> None:
        number = 0
        with httpx.Client(base_url=url, timeout=30) as http:
            while not is_over.is_set():
                number += 1
                # Texts differ, or equal requests in flight would be one computation.
                text = f"{fields['text']} {client} {number}"
                files: dict[str, Any] = {"image": ("a.png", image), "text": (None, text)}
                answer = http.post("/v1/classify", files=files)
                is_over.wait(0.1 if answer.status_code == 429 else 0.02)

    with ThreadPoolExecutor(clients) as pool:
        for client in range(clients):
            pool.submit(keep_asking, client)
        time.sleep(duration_s)
        is_over.set()


def draw(board: Board, watched: Watched, began_s: float) -> Figure | None:
    """Draws the first panels of a dashboard that have series; None when none has."""
    shown: list[tuple[Panel, list[tuple[str, list[float], list[float]]]]] = []
    for panel in board.panels:
        if panel.kind is not Kind.NUMBER and len(shown) < _MAX_PANELS and is_brief(panel):
            series = series_of(panel, watched, began_s)
            if any(any(values) for _, _, values in series):
                shown.append((panel, series))
    if len(shown) < 2:
        return None
    rows = (len(shown) + 1) // 2
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(12, 2.5 * rows), layout="constrained")
        figure.suptitle(told_load(), fontsize=9, x=0.01, ha="left")
        grid = list(figure.subplots(rows, 2, squeeze=False, sharex=True).flat)
        for axes, (panel, series) in zip(grid, shown, strict=False):
            draw_panel(axes, panel, series)
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


def told_load() -> str:
    """Says who asked, for above a picture."""
    told, at_s = [], _SETTLE_S
    for clients, duration_s in STRETCHES:
        told.append(f"{clients} clients from {at_s:.0f} to {at_s + duration_s:.0f} s")
        at_s += duration_s
    return "; ".join(told)


def draw_panel(
    axes: Axes, panel: Panel, series: list[tuple[str, list[float], list[float]]]
) -> None:
    """Draws one panel as Grafana would: lines, and dashed in red what is too much."""
    busiest_s = _SETTLE_S + STRETCHES[0][1]
    axes.axvspan(busiest_s, busiest_s + STRETCHES[1][1], color="0.95", linewidth=0)
    for legend, times_s, values in series:
        if any(values):
            # Digests of models say nothing here.
            name = re.sub(r"-[0-9a-f]{12}", "", legend)
            axes.plot(times_s, values, linewidth=1.3, label=name)
    if panel.limit is not None:
        axes.axhline(panel.limit, color="tab:red", linewidth=0.9, linestyle="--", label="limit")
    unit = {Unit.SECONDS: "s", Unit.PER_SECOND: "a second", Unit.RATIO: "share"}.get(panel.unit, "")
    axes.set_title(f"{panel.title}{f' ({unit})' if unit else ''}", loc="left", fontsize=9)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, _SETTLE_S + sum(duration_s for _, duration_s in STRETCHES))
    axes.tick_params(labelbottom=True)
    # Beside the lines, not on them.
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def series_of(
    panel: Panel, watched: Watched, began_s: float
) -> list[tuple[str, list[float], list[float]]]:
    """Asks a panel's queries: legend, seconds from the begin, values."""
    found = []
    for query in panel.queries:
        expression = query.expr.replace("$namespace", ".*")
        for each in watched.watch.ask(
            "query_range",
            query=expression.replace("$__rate_interval", _RATE_INTERVAL),
            start=began_s,
            end=time.time(),
            step=_STEP_S,
        ):
            legend = query.legend
            for label, value in each["metric"].items():
                legend = legend.replace("{{" + label + "}}", value)
            points = [(float(at), float(value)) for at, value in each["values"]]
            found.append((legend, [at - began_s for at, _ in points], [v for _, v in points]))
    return found


if __name__ == "__main__":
    main()
