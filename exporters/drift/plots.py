"""Pictures of a drift report: ratios over time, and what was answered beside the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from exporters.evaluation.plots import BLUE, GREY, MODALITY_NAMES, ORANGE, save_figure
from gateway.contract.drift.window import DriftKind
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from exporters.drift.captured import CapturedItems
    from exporters.drift.report import JudgedWindow
    from gateway.contract.drift.reference import DriftReference
    from gateway.contract.drift.window import DriftTests, Finding

    Floats = NDArray[np.float32]

__all__ = ["MODALITY_NAMES", "save_answers", "save_ratios"]

_COLOURS: Final = {
    DriftKind.IMAGE_EMBEDDING: BLUE,
    DriftKind.IMAGE_PROPERTIES: BLUE,
    DriftKind.TEXT_EMBEDDING: ORANGE,
    DriftKind.TEXT_PROPERTIES: ORANGE,
    DriftKind.AGREEMENT: "#6a4fa3",
    DriftKind.LABELS: "#3b8f5a",
    DriftKind.CONFIDENCE: "#3b8f5a",
}
_MARKERS: Final = "osD^vP*"  # one a task
_DASHED: Final = frozenset(
    {DriftKind.IMAGE_PROPERTIES, DriftKind.TEXT_PROPERTIES, DriftKind.CONFIDENCE}
)


def kind_text(found: Finding) -> str:
    """Returns the kind of a finding in words, with its task where that has a name."""
    kind = found.kind.replace("_", " ")
    return f"{kind} of {found.task}" if found.task else kind


def save_ratios(windows: Sequence[JudgedWindow], file: Path) -> None:
    """Draws how far each kind is from its threshold, window by window, a panel a modality set."""
    shown = [each for each in ModalitySet if any(w.modalities is each for w in windows)]
    figure = Figure(figsize=(8.4, 2.9 * len(shown) + 0.3), layout="constrained")
    panels = figure.subplots(len(shown), 1, sharex=False, squeeze=False)[:, 0]
    for axes, modalities in zip(panels, shown, strict=True):
        _draw_ratios(axes, [each for each in windows if each.modalities is modalities])
        axes.set_title(MODALITY_NAMES[modalities], loc="left")
    save_figure(figure, file)


def _draw_ratios(axes: Axes, windows: Sequence[JudgedWindow]) -> None:
    places = np.arange(1, len(windows) + 1)
    by_test = [{(found.kind, found.task): found for found in each.findings} for each in windows]
    # Parts that were written before a task was captured have no answers of it.
    tests = {test: found for each in by_test for test, found in each.items()}
    tasks = list(dict.fromkeys(task for _, task in tests))
    for (kind, task), found in tests.items():
        axes.plot(
            places,
            [each[kind, task].ratio if (kind, task) in each else np.nan for each in by_test],
            marker=_MARKERS[tasks.index(task) % len(_MARKERS)],
            markersize=4,
            color=_COLOURS[kind],
            linestyle="--" if kind in _DASHED else "-",
            label=kind_text(found),
        )
    axes.axhline(1.0, color=GREY, linewidth=1, linestyle=":")
    axes.set_ylabel("statistic / threshold")
    axes.set_yscale("log")
    axes.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    axes.minorticks_off()
    ratios = [found.ratio for each in windows for found in each.findings]
    axes.set_ylim(min(0.15, max(0.05, 0.8 * min(ratios))), max(5.5, 1.2 * max(ratios)))
    labels = [f"{each.until:%d %b\n%H:%M}" for each in windows]
    step = -(-len(windows) // 12)  # as many as find room
    axes.set_xticks(places[::step], labels[::step])
    axes.set_xlim(0.5, len(windows) + 0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)


def save_answers(
    reference: DriftReference,
    tests: DriftTests,
    groups: Mapping[ModalitySet, CapturedItems],
    file: Path,
) -> None:
    """Draws the labels and confidence that were answered, and agreement, beside the reference's."""
    largest = max(groups.values(), key=len)
    tasks = reference.answers_to(largest.modalities)
    rows = max(len(tasks), 1)
    figure = Figure(figsize=(11.5, 3.3 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, 3, squeeze=False)
    for (labels, confidence, _), (task, answers) in zip(panels, tasks.items(), strict=False):
        said = [each.answers[task] for each in largest.items if task in each.answers]
        if not said:
            continue
        _draw_labels(labels, answers.labels.counts, [label for label, _ in said])
        found = np.array([score for _, score in said], np.float32)
        _draw_cumulative(confidence, answers.confidence.values.unpack(), found, "confidence")
        labels.set_title(task, loc="left", fontsize=10)
    agreement = panels[0, 2]
    pairs = groups.get(ModalitySet.BOTH)
    if pairs is not None:
        scores = tests.agreement(
            np.stack([each.image for each in pairs.items if each.image is not None]),
            np.stack([each.text for each in pairs.items if each.text is not None]),
        )
        before = reference.agreement.scores.values.unpack()
        _draw_cumulative(agreement, before, scores, "agreement of image and text (cosine)")
    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_visible(axes.has_data())
    figure.suptitle(f"{MODALITY_NAMES[largest.modalities]}, all windows together", fontsize=10)
    save_figure(figure, file)


def _draw_labels(axes: Axes, before: Mapping[str, int], now: Sequence[str]) -> None:
    names = sorted(before, key=lambda name: before[name])
    total = sum(before.values())
    places = np.arange(len(names))
    axes.barh(places + 0.2, [before[name] / total for name in names], 0.38, color=GREY)
    axes.barh(places - 0.2, [now.count(name) / len(now) for name in names], 0.38, color=BLUE)
    axes.set_yticks(places, names, fontsize=8)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("share of answers")


def _draw_cumulative(axes: Axes, before: Floats, now: Floats, name: str) -> None:
    for values, colour, label in ((before, GREY, "reference"), (now, BLUE, "captured")):
        ordered = np.sort(values)
        axes.plot(ordered, np.arange(1, len(ordered) + 1) / len(ordered), color=colour, label=label)
    axes.set_xlabel(name)
    axes.set_ylabel("share at or below")
    axes.set_ylim(0, 1)
    axes.legend(loc="upper left", frameon=False, fontsize=8)
