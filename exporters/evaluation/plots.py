"""Pictures of a report: confusion matrices and reliability diagrams, as PNG.

Figures are built without pyplot: no global state, no window, no display.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from exporters.atomic import atomic_file
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from exporters.evaluation.metrics import Reliability
    from exporters.evaluation.quality import TaskQuality

MODALITY_NAMES: Final = {
    ModalitySet.BOTH: "image and text",
    ModalitySet.TEXT: "text only",
    ModalitySet.IMAGE: "image only",
}

BLUE: Final = "#2f6db5"
GREY: Final = "#8a8f98"
ORANGE: Final = "#e07b39"
_DPI: Final = 150


def save_confusion(quality: TaskQuality, counts: NDArray[np.int64], file: Path) -> None:
    """Draws counts by true and predicted label; the shade is the share of the true label."""
    labels = quality.task.labels
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    matrix_in = 0.6 * len(labels)
    figure = Figure(figsize=(matrix_in + 3.4, matrix_in + 1.8), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, labels)
    axes.set_xlabel("predicted label")
    axes.set_ylabel("true label")
    axes.set_title(
        f"{MODALITY_NAMES[quality.modalities]}: {quality.quality.accuracy:.1%} of "
        f"{quality.quality.examples} right"
    )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for row, column in np.argwhere(counts > 0):
        colour = "white" if shares[row, column] > 0.55 else "#1d2733"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    bar = figure.colorbar(picture, ax=axes, shrink=0.9, format="{x:.0%}")
    bar.set_label("share of the true label")
    bar.outline.set_visible(False)
    save_figure(figure, file)


def save_reliability(qualities: Mapping[ModalitySet, TaskQuality], file: Path) -> None:
    """Draws one task's accuracy against confidence, before and after, a panel a modality set."""
    layout = ConstrainedLayoutEngine(wspace=0.06)
    figure = Figure(figsize=(4.1 * len(qualities), 4.6), layout=layout)
    panels = figure.subplots(1, len(qualities), sharey=True, squeeze=False)[0]
    for axes, quality in zip(panels, qualities.values(), strict=True):
        _draw_reliability(axes, quality)
    panels[0].set_ylabel("accuracy")
    save_figure(figure, file)


def _draw_reliability(axes: Axes, quality: TaskQuality) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="perfect")
    before, after = quality.uncalibrated, quality.calibrated
    _draw_curve(axes, before, ORANGE, f"before, ECE {before.expected_calibration_error:.3f}")
    _draw_curve(axes, after, BLUE, f"after, ECE {after.expected_calibration_error:.3f}")
    bins = len(after.examples)
    share = after.examples / after.examples.sum()
    axes.bar(
        (np.arange(bins) + 0.5) / bins,
        share,
        width=0.9 / bins,
        color=BLUE,
        alpha=0.15,
        label="share of examples, after",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", aspect="equal")
    axes.set_title(
        f"{MODALITY_NAMES[quality.modalities]}, temperature {quality.calibration.temperature:.2f}"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", frameon=False, fontsize=8)


def _draw_curve(axes: Axes, bins: Reliability, colour: str, label: str) -> None:
    filled = bins.examples > 0
    # The area of a point is its weight in the calibration error.
    area_pt2 = 8 + 240 * bins.examples[filled] / bins.examples.sum()
    axes.plot(bins.confidence[filled], bins.accuracy[filled], color=colour, label=label)
    axes.scatter(
        bins.confidence[filled], bins.accuracy[filled], s=area_pt2, color=colour, clip_on=False
    )


def save_figure(figure: Figure, file: Path) -> None:
    """Writes a figure as PNG, whole or not at all."""
    with atomic_file(file) as path:
        figure.savefig(path, dpi=_DPI)
