"""The pictures of a run: what came over time, how long it took, and how latencies are spread."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure

from loadtest.traffic.replies import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from loadtest.traffic.replies import Reply
    from loadtest.traffic.scenario import Scenario

_BINS: Final = 60
_COLOURS: Final = {
    Outcome.RIGHT: "#2a7f62",
    Outcome.REFUSED: "#d9a404",
    Outcome.FAILED: "#b3261e",
    Outcome.INVALID: "#7b1fa2",
    Outcome.MISSING: "#424242",
}


def timeline_svg(scenario: Scenario, replies: Sequence[Reply]) -> str:
    """Draws requests a second by outcome, and the latency of right answers, over the due times."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    rates, latencies = figure.subplots(2, 1, sharex=True)
    edges = np.linspace(0.0, scenario.duration_s, min(_BINS, max(5, len(replies) // 20)) + 1)
    width_s = edges[1] - edges[0]
    middles = (edges[1:] + edges[:-1]) / 2
    stacked = np.zeros(len(middles))
    for outcome, colour in _COLOURS.items():
        due_s = [reply.due_s for reply in replies if reply.outcome == outcome]
        if not due_s:
            continue
        count, _ = np.histogram(due_s, edges)
        rates.bar(middles, count / width_s, width_s, stacked, color=colour, label=outcome.value)
        stacked += count / width_s
    wanted = [scenario.shape.rate_at(at_s / scenario.duration_s) for at_s in middles]
    rates.plot(middles, wanted, color="black", linewidth=1, label="wanted")
    rates.set_ylabel("requests a second")
    rates.legend(loc="upper right", fontsize="small", ncols=3)
    _draw_latencies(latencies, scenario, replies, edges)
    return _svg(figure)


def _draw_latencies(
    axes: Axes, scenario: Scenario, replies: Sequence[Reply], edges: NDArray[np.float64]
) -> None:
    right = [(r.due_s, 1000 * r.latency_s) for r in replies if r.outcome == Outcome.RIGHT]
    if right:
        due_s, latency_ms = np.array(right).T
        bins = np.digitize(due_s, edges) - 1
        axes.scatter(due_s, latency_ms, s=3, color="#9fc9b8", label="an answer", rasterized=True)
        for ratio, style in ((0.5, "-"), (0.99, "--")):
            filled = sorted(set(bins.tolist()))
            at_s = [(edges[each] + edges[each + 1]) / 2 for each in filled]
            values = [np.quantile(latency_ms[bins == each], ratio) for each in filled]
            label = f"P{100 * ratio:g}"
            axes.plot(at_s, values, style, color="#1b4d3e", label=label)
    axes.axhline(scenario.limits.promise_ms, color="#b3261e", linewidth=1, label="the promise")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("ms from the due time")
    axes.set_xlabel("seconds from the begin")
    axes.legend(loc="upper right", fontsize="small", ncols=2)


def spread_svg(scenario: Scenario, replies: Sequence[Reply]) -> str:
    """Draws which share of right answers took longer than a time, by protocol; both logarithmic."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for protocol in sorted({reply.protocol for reply in replies}):
        latency_ms = sorted(
            1000 * reply.latency_s
            for reply in replies
            if reply.outcome == Outcome.RIGHT and reply.protocol == protocol
        )
        if latency_ms:
            slower = 1 - np.arange(len(latency_ms)) / len(latency_ms)
            axes.step(latency_ms, slower, where="post", label=f"{protocol} ({len(latency_ms)})")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.axvline(scenario.limits.p99_ms, color="#b3261e", linewidth=1)
    axes.axhline(0.01, color="#b3261e", linewidth=1, linestyle=":", label="P99 and its limit")
    axes.set_xlabel("ms from the due time")
    axes.set_ylabel("share that took longer")
    axes.grid(visible=True, which="major", color="#dddddd")
    axes.legend(fontsize="small")
    return _svg(figure)


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    drawn = buffer.getvalue()
    return drawn[drawn.index("<svg") :]  # within a page, without the XML declaration
