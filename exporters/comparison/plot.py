"""The picture of a comparison: accuracy with its interval, a row a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure

from exporters.evaluation.plots import BLUE, GREY, MODALITY_NAMES, ORANGE, save_figure
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.comparison.run import Comparison

_COLOURS: Final = {
    ModalitySet.BOTH: BLUE,
    ModalitySet.TEXT: ORANGE,
    ModalitySet.IMAGE: "#3f9c6b",
}
_ROW_IN: Final = 0.42
_OFFSETS: Final = {ModalitySet.BOTH: -0.22, ModalitySet.TEXT: 0.0, ModalitySet.IMAGE: 0.22}


def save_comparison(comparison: Comparison, file: Path) -> None:
    """Draws the candidates best first, with the best's interval as a band through all rows."""
    *rows, majority = comparison.standings
    figure = Figure(figsize=(8.6, 1.5 + _ROW_IN * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for modalities, colour in _COLOURS.items():
        drawn = [
            (row + _OFFSETS[modalities], standing.scores[modalities])
            for row, standing in enumerate(rows)
            if modalities in standing.scores
        ]
        positions = [position for position, _ in drawn]
        accuracies = [score.accuracy for _, score in drawn]
        below = [score.accuracy - score.interval[0] for _, score in drawn]
        above = [score.interval[1] - score.accuracy for _, score in drawn]
        axes.errorbar(
            accuracies,
            positions,
            xerr=[below, above],
            fmt="o",
            markersize=4.5,
            linewidth=1.4,
            color=colour,
            label=MODALITY_NAMES[modalities],
        )
    low, high = comparison.best.headline.interval
    axes.axvspan(low, high, color=BLUE, alpha=0.08, linewidth=0, label="interval of the best")
    axes.set_yticks(range(len(rows)), [standing.name for standing in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.hlines(np.arange(len(rows) - 1) + 0.5, 0, 1, color=GREY, alpha=0.25, linewidth=0.6)
    # From the lowest interval on: the majority lies so far below that it would crush the rest.
    ends = [end for row in rows for score in row.scores.values() for end in score.interval]
    margin = 0.04 * (max(ends) - min(ends))
    axes.set_xlim(min(ends) - margin, max(ends) + margin)
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xlabel(
        f"accuracy on {comparison.examples} examples, each held out once ({comparison.folds} "
        f"folds), with 95 % intervals\nalways answering the commonest label: "
        f"{majority.headline.accuracy:.1%}"
    )
    axes.grid(axis="x", color=GREY, alpha=0.25)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    save_figure(figure, file)
