"""What a search tried, for people (with a plot) and for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure

from exporters.atomic import atomic_file
from exporters.compression.search import pareto_front
from exporters.compression.side import Side
from exporters.evaluation.plots import BLUE, GREY, MODALITY_NAMES, ORANGE, save_figure
from exporters.evaluation.report import markdown_table

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.compression.run import CompressedVariant
    from exporters.compression.search import Point, Search

REPORT: Final = "search.md"

_FIGURES: Final = "search.json"
_PLOT: Final = "search.png"


def write_search_report(search: Search, found: CompressedVariant) -> Path:
    """Writes table, figures and plot of a search into the folder of what it found.

    Returns:
        The Markdown report.
    """
    folder = found.variant.run_folder
    save_search(search, folder / _PLOT)
    text = json.dumps(_as_json(search, found), indent=2, ensure_ascii=False) + "\n"
    _write(folder / _FIGURES, text)
    _write(folder / REPORT, _as_markdown(search, found))
    return folder / REPORT


def verdict(search: Search, found: CompressedVariant) -> str:
    """Says in words what was found, and what it costs where nothing was chosen by it."""
    gain = search.original.encode_ms / search.chosen.encode_ms
    losses = ", ".join(
        f"{MODALITY_NAMES[modalities]} {100 * cost.loss:+.1f}"
        for modalities, cost in found.costs.items()
    )
    head = "fitted again" if search.chosen.has_refitted_head else "as it was"
    return (
        f"{_name(search.chosen)}, head {head}: encoders {gain:.2f} times quicker. It loses at most "
        f"{100 * search.chosen.loss:.1f} points on the validation split, which chose it "
        f"({100 * search.within:g} were allowed), and on held-out examples: {losses}."
    )


def save_search(search: Search, file: Path) -> None:
    """Draws loss against time of all points, the Pareto front and the choice."""
    figure = Figure(figsize=(8.0, 4.8), layout="constrained")
    axes = figure.add_subplot()
    original_ms = search.original.encode_ms
    for is_refitted, colour, label in (
        (False, BLUE, "head as it was"),
        (True, ORANGE, "head fitted again"),
    ):
        drawn = [each for each in search.points if each.has_refitted_head == is_refitted]
        axes.scatter(
            [original_ms / each.encode_ms for each in drawn],
            [100 * each.loss for each in drawn],
            s=22,
            color=colour,
            alpha=0.75,
            label=label,
        )
    front = pareto_front(search.points)
    axes.step(
        [original_ms / each.encode_ms for each in front],
        [100 * each.loss for each in front],
        where="post",
        color=GREY,
        linewidth=1,
        label="Pareto front",
    )
    axes.axhline(100 * search.within, color=GREY, linestyle=":", label="allowed")
    chosen = search.chosen
    axes.scatter(
        [original_ms / chosen.encode_ms],
        [100 * chosen.loss],
        s=150,
        facecolors="none",
        edgecolors="#1d2733",
        linewidths=1.6,
        label="chosen",
    )
    axes.set_xlabel("encoders, times quicker than the original (processor time)")
    axes.set_ylabel("points lost on the validation split,\nlargest of the three sets of modalities")
    axes.grid(color=GREY, alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    save_figure(figure, file)


def _as_markdown(search: Search, found: CompressedVariant) -> str:
    header = ("text", "image", "head", "times quicker", "points lost (validation)", "graphs, MB")
    rows = (
        (
            point.encoders[Side.TEXT].name,
            point.encoders[Side.IMAGE].name,
            "fitted again" if point.has_refitted_head else "as it was",
            f"{search.original.encode_ms / point.encode_ms:.2f}",
            f"{100 * point.loss:+.1f}",
            f"{sum(each.bytes for each in point.encoders.values()) / 1e6:.1f}",
        )
        for point in pareto_front(search.points)
    )
    sections = [
        f"# {found.variant.recipe.name}: the search",
        verdict(search, found),
        f"{len(search.points)} of {search.possible} points were tried: all pairs of the encoders "
        "below with the original's head, and from the quickest on with a head that is fitted "
        "again, until a slower pair could not be chosen any more.",
        f"![Loss against time]({_PLOT})",
        "## The Pareto front",
        markdown_table(header, rows),
        "## The encoders",
        _encoder_table(search),
        *(f"- left out: {reason}" for reason in search.left_out),
    ]
    return "\n\n".join(sections) + "\n"


def _encoder_table(search: Search) -> str:
    rows = []
    for side, times in search.times.items():
        first = times.encode_ms["original"]
        rows += [
            (side, name, f"{encode_ms:.2f}", f"{first / encode_ms:.2f}")
            for name, encode_ms in sorted(times.encode_ms.items(), key=lambda each: each[1])
        ]
    return markdown_table(("encoder", "steps", "ms", "times quicker"), rows)


def _as_json(search: Search, found: CompressedVariant) -> dict[str, Any]:
    return {
        "within": search.within,
        "tried": len(search.points),
        "possible": search.possible,
        "left_out": search.left_out,
        "chosen": _point_as_json(search.chosen),
        "holdout": {name: asdict(cost) for name, cost in found.costs.items()},
        "points": [_point_as_json(point) for point in search.points],
    }


def _point_as_json(point: Point) -> dict[str, Any]:
    return {
        **{side: encoder.name for side, encoder in point.encoders.items()},
        "has_refitted_head": point.has_refitted_head,
        "encode_cpu_ms": point.encode_ms,
        "validation": {name: asdict(cost) for name, cost in point.costs.items()},
    }


def _name(point: Point) -> str:
    return ", ".join(f"{side}: {encoder.name}" for side, encoder in point.encoders.items())


def _write(file: Path, text: str) -> None:
    with atomic_file(file) as path:
        path.write_text(text, encoding="utf-8")
