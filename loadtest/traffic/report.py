"""Writes a run's report: JSON for programs, a page of HTML with pictures for people."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from loadtest.bench import report as bench_report
from loadtest.traffic.plots import spread_svg, timeline_svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.bench.targets import Verdict
    from loadtest.traffic.figures import RunFigures, Share
    from loadtest.traffic.order import Order
    from loadtest.traffic.replies import Reply


def write_json(path: Path, order: Order, figures: RunFigures, verdicts: Sequence[Verdict]) -> None:
    """Writes the figures with what was sent; the file appears whole or not at all."""
    fields = {"target": order.url, "senders": order.senders, "name": order.name}
    scenario = order.scenario.model_dump(mode="json")
    bench_report.write_json(path, {**fields, "scenario": scenario, **asdict(figures)}, verdicts)


def write_html(
    path: Path,
    order: Order,
    figures: RunFigures,
    verdicts: Sequence[Verdict],
    replies: Sequence[Reply],
) -> None:
    """Writes the page; it loads nothing from elsewhere."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("report.html").render(
        name=order.name,
        about=order.scenario.about,
        target=order.url,
        figures=figures,
        verdicts=verdicts,
        has_passed=all(verdict.is_met for verdict in verdicts),
        shares=_rows(figures),
        timeline=timeline_svg(order.scenario, replies),
        spread=spread_svg(order.scenario, replies),
    )
    scratch = path.with_suffix(".new")
    scratch.write_text(page, encoding="utf-8")
    scratch.replace(path)


def lines(figures: RunFigures) -> list[str]:
    """Says the figures in lines for a terminal."""
    rows = [
        f"{'':<12}{'requests':>9}{'in time':>9}{'errors':>8}{'refused':>9}{'P50':>8}{'P99 ms':>8}"
    ]
    for label, share in _rows(figures):
        latency = "".join(
            f"{'-' if math.isnan(ms) else f'{ms:.1f}':>8}"
            for ms in (share.right.p50_ms, share.right.p99_ms)
        )
        rows.append(
            f"{label:<12}{share.requests:>9}{share.goodput_ratio:>9.1%}{share.error_ratio:>8.1%}"
            f"{share.refused_ratio:>9.1%}{latency}"
        )
    rows += [f"  {count} x {what}" for what, count in figures.troubles.items()]
    return rows


def _rows(figures: RunFigures) -> list[tuple[str, Share]]:
    return [("all", figures.whole), *figures.by_protocol.items(), *figures.by_modalities.items()]
