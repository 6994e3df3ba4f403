"""The pictures of a run: what came over time, how long it took, and how latencies are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from loadtest.traffic import page_theme
from loadtest.traffic.page_theme import inline_svg, themed
from loadtest.traffic.replies import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from loadtest.traffic.replies import Reply
    from loadtest.traffic.scenario import Scenario

_BINS: Final = 60
_FEW_PER_BIN: Final = 20
_FEW_FOR_P99: Final = 100  # of fewer the P99 is the largest, and a line of it says nothing
_COLOURS: Final = {
    Outcome.RIGHT: page_theme.RIGHT,
    Outcome.REFUSED: page_theme.REFUSED,
    Outcome.FAILED: page_theme.FAILED,
    Outcome.INVALID: page_theme.INVALID,
    Outcome.MISSING: page_theme.MISSING,
}
_MANY: Final = 2_000  # dots that lie on each other
_STYLES: Final = (
    (page_theme.LINE, "-"),
    (page_theme.OTHER, "-"),
    (page_theme.LINE, "--"),
    (page_theme.OTHER, "--"),
)


def timeline_svg(scenario: Scenario, replies: Sequence[Reply]) -> str:
    """Draws requests a second by outcome, and the latency of right answers, over the due times."""
    with themed():
        figure = Figure(figsize=(9, 6.2), layout="constrained")
        rates, latencies = figure.subplots(2, 1, sharex=True)
        bins = min(_BINS, max(5, len(replies) // _FEW_PER_BIN))
        edges = np.linspace(0.0, scenario.duration_s, bins + 1)
        _draw_rates(rates, scenario, replies, edges)
        _draw_latencies(latencies, scenario, replies, edges)
        return inline_svg(figure, "Requests a second and latency over time")


def _draw_rates(
    axes: Axes, scenario: Scenario, replies: Sequence[Reply], edges: NDArray[np.float64]
) -> None:
    width_s = edges[1] - edges[0]
    middles = (edges[1:] + edges[:-1]) / 2
    stacked = np.zeros(len(middles))
    for outcome, colour in _COLOURS.items():
        due_s = [reply.due_s for reply in replies if reply.outcome == outcome]
        if not due_s:
            continue
        count, _ = np.histogram(due_s, edges)
        label = f"{outcome.value} ({len(due_s)})"
        axes.bar(middles, count / width_s, 0.92 * width_s, stacked, color=colour, label=label)
        stacked += count / width_s
    wanted = [scenario.shape.rate_at(at_s / scenario.duration_s) for at_s in edges]
    axes.plot(edges, wanted, color=page_theme.INK, linewidth=1, label="wanted, in the mean")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("requests a second")
    _legend_above(axes)


def _draw_latencies(
    axes: Axes, scenario: Scenario, replies: Sequence[Reply], edges: NDArray[np.float64]
) -> None:
    limits = scenario.limits
    right = [(r.due_s, 1000 * r.latency_s) for r in replies if r.outcome == Outcome.RIGHT]
    if right:
        due_s, latency_ms = np.array(right).T
        bins = np.clip(np.digitize(due_s, edges) - 1, 0, len(edges) - 2)
        alpha = 0.5 if len(right) > _MANY else 0.9
        axes.scatter(
            due_s, latency_ms, s=8, color=page_theme.RIGHT, alpha=alpha, linewidths=0,
            label="a right answer",
        )  # fmt: skip
        filled = sorted(set(bins.tolist()))
        at_s = [(edges[each] + edges[each + 1]) / 2 for each in filled]
        has_tail = len(right) / len(filled) >= _FEW_FOR_P99
        for ratio, style in ((0.5, "-"), (0.99, "--"))[: 1 + has_tail]:
            values = [np.quantile(latency_ms[bins == each], ratio) for each in filled]
            axes.plot(at_s, values, style, color=page_theme.LINE, label=f"P{100 * ratio:g}")
    lines = {limits.promise_ms: f"the promise, {limits.promise_ms:g} ms"}
    if limits.p99_ms != limits.promise_ms:
        lines[limits.p99_ms] = f"limit of P99, {limits.p99_ms:g} ms"
    for (value_ms, label), style in zip(lines.items(), ("-", ":"), strict=False):
        axes.axhline(value_ms, color=page_theme.LIMIT, linewidth=1.2, linestyle=style, label=label)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, scenario.duration_s)
    axes.set_ylabel("ms from the due time")
    axes.set_xlabel("seconds from the begin")
    _legend_above(axes)


def spread_svg(scenario: Scenario, replies: Sequence[Reply]) -> str:
    """Draws which share of right answers took longer than a time, by protocol; both logarithmic."""
    with themed():
        figure = Figure(figsize=(9, 4.4), layout="constrained")
        axes = figure.subplots()
        protocols = sorted({reply.protocol for reply in replies})
        for protocol, (colour, style) in zip(protocols, _STYLES, strict=False):
            latency_ms = sorted(
                1000 * reply.latency_s
                for reply in replies
                if reply.outcome == Outcome.RIGHT and reply.protocol == protocol
            )
            if latency_ms:
                slower = 1 - np.arange(len(latency_ms)) / len(latency_ms)
                label = f"{protocol} ({len(latency_ms)})"
                axes.step(latency_ms, slower, style, where="post", color=colour, label=label)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(min(0.005, 0.5 / max(1, len(replies))), 1.2)
        limit_ms = scenario.limits.p99_ms
        label = f"limit of P99, {limit_ms:g} ms"
        axes.axvline(limit_ms, color=page_theme.LIMIT, linewidth=1.2, label=label)
        axes.axhline(0.01, color=page_theme.LIMIT, linewidth=1.2, linestyle=":", label="1 of 100")
        plain = FuncFormatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(plain)
            axis.set_minor_formatter(FuncFormatter(lambda _value, _: ""))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        axes.set_xlabel("ms from the due time")
        axes.set_ylabel("answers that took longer")
        axes.grid(visible=True, which="major")
        axes.grid(visible=True, which="minor", axis="x", linewidth=0.3)
        _legend_above(axes)
        return inline_svg(figure, "Share of right answers that took longer than a time")


def _legend_above(axes: Axes) -> None:
    """Where it covers nothing."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=6, fontsize="small",
        markerscale=2, borderaxespad=0.2, columnspacing=1.2, handlelength=1.6,
    )  # fmt: skip
