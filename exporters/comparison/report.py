"""The result of a comparison, for people (`comparison.md` with a plot) and for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from exporters.atomic import atomic_file
from exporters.comparison.plot import save_comparison
from exporters.evaluation.plots import MODALITY_NAMES
from exporters.evaluation.report import markdown_table
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.comparison.run import Comparison
    from exporters.comparison.standings import Gap, Score, Standing

REPORT: Final = "comparison.md"

_FIGURES: Final = "comparison.json"
_PLOT: Final = "comparison.png"
_ALPHA: Final = 0.05


def write_comparison(comparison: Comparison) -> Path:
    """Writes table, figures and plot into the comparison's folder.

    Returns:
        The Markdown report.
    """
    save_comparison(comparison, comparison.folder / _PLOT)
    figures = json.dumps(_as_json(comparison), indent=2, ensure_ascii=False) + "\n"
    _write(comparison.folder / _FIGURES, figures)
    report = comparison.folder / REPORT
    _write(report, _as_markdown(comparison))
    return report


def comparison_table(comparison: Comparison) -> str:
    """Returns the figures as a Markdown table, best head first; intervals are of 95 %."""
    header = (
        "head",
        *(MODALITY_NAMES[modalities] for modalities in ModalitySet),
        "macro F1",
        "ECE",
        "points behind the best",
        "p",
        "fit, CPU s",
    )
    return markdown_table(header, (_row(standing) for standing in comparison.standings))


def verdict(comparison: Comparison) -> str:
    """Says in words which heads are as good as the best as far as these examples can tell."""
    best = comparison.best
    heads = [each for each in comparison.standings[1:] if not each.answers.is_baseline]
    level = [each.name for each in heads if not _is_worse(each.gap)]
    behind = [each.name for each in heads if _is_worse(each.gap)]
    alone = [
        each.name
        for each in comparison.standings
        if each.answers.is_baseline and not _is_worse(each.gap)
    ]
    sentences = [f"{best.name} is right most often, {best.headline.accuracy:.1%}."]
    if level:
        sentences.append(f"These examples do not tell it apart from {', '.join(level)}.")
    if behind:
        sentences.append(f"Worse (p < {_ALPHA}): {', '.join(behind)}.")
    if alone:
        sentences.append(f"It is not shown to beat {', '.join(alone)}.")
    return " ".join(sentences)


def _is_worse(gap: Gap | None) -> bool:
    return gap is not None and gap.accuracy < 0 and gap.p_value < _ALPHA


def _row(standing: Standing) -> tuple[str, ...]:
    cells = [_accuracy(standing.scores.get(modalities)) for modalities in ModalitySet]
    gap, headline, fit_cpu_s = standing.gap, standing.headline, standing.answers.fit_cpu_s
    return (
        standing.name,
        *cells,
        f"{headline.macro_f1:.3f}",
        f"{headline.expected_calibration_error:.3f}",
        _points(gap),
        "" if gap is None else f"{gap.p_value:.3f}" if gap.p_value >= 0.001 else "< 0.001",
        f"{sum(fit_cpu_s) / len(fit_cpu_s):.1f}" if fit_cpu_s else "",
    )


def _accuracy(score: Score | None) -> str:
    if score is None:
        return ""
    low, high = (100 * end for end in score.interval)
    return f"{100 * score.accuracy:.1f} ({low:.1f} to {high:.1f})"


def _points(gap: Gap | None) -> str:
    if gap is None:
        return "the best"
    # Behind is minus the difference: the interval's ends change places.
    low, high = (-100 * end for end in reversed(gap.interval))
    return f"{-100 * gap.accuracy:.1f} ({low:.1f} to {high:.1f})"


def _as_markdown(comparison: Comparison) -> str:
    recipes = ", ".join(comparison.recipes)
    sections = [
        f"# Heads compared: {recipes}",
        f"{comparison.examples} examples in {comparison.groups} groups (equal texts, near-twin "
        f"images), {comparison.folds} folds, seed {comparison.seed}: each example is held out "
        "once, and no group is cut. Accuracy in per cent.",
        comparison_table(comparison),
        *_tasks_section(comparison),
        verdict(comparison),
        f"![Accuracy with intervals]({_PLOT})",
        *_weights_section(comparison),
        "## How to read it",
        "Intervals: 95 % each, bootstrap over whole groups. p: paired permutation test against the "
        "best, the sign of each group's net difference flipped at random (McNemar's test where "
        "groups are single examples), corrected by Holm for the number of rows; the intervals are "
        "not. Both say how far other examples could move the figures; one seed a fit, so not "
        "how far another seed could. The best was picked on the same examples, which flatters it a "
        "little. Macro F1, ECE (after calibration), points and p are with all that a row can see. "
        "Fit: mean processor time of a fold on cached features; it has one thread.",
    ]
    return "\n\n".join(sections) + "\n"


def _tasks_section(comparison: Comparison) -> list[str]:
    tasks = list(comparison.best.headline.task_accuracies)
    if len(tasks) == 1:
        return []
    rows = (
        (
            standing.name,
            *(f"{100 * accuracy:.1f}" for accuracy in standing.headline.task_accuracies.values()),
        )
        for standing in comparison.standings
    )
    return [
        "These are means over the tasks. Each by itself, with all that a row can see:",
        markdown_table(("head", *tasks), rows),
        "Where several labels are possible, an answer counts by its F1.",
    ]


def _weights_section(comparison: Comparison) -> list[str]:
    weighted = [each.answers for each in comparison.standings if each.answers.learned_weights]
    if not weighted:
        return []
    lines = [
        f"- {each.name}: "
        + ", ".join(f"{name} {weight:.3f}" for name, weight in each.learned_weights.items())
        for each in weighted
    ]
    return ["What heads learned to listen to, of 1 in all, mean over the folds:", "\n".join(lines)]


def _as_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "recipes": comparison.recipes,
        "examples": comparison.examples,
        "groups": comparison.groups,
        "folds": comparison.folds,
        "seed": comparison.seed,
        "test": "paired permutation of group signs against the best, Holm-corrected",
        "standings": [
            {
                "name": standing.name,
                "is_baseline": standing.answers.is_baseline,
                "modalities": {
                    modalities: asdict(score) for modalities, score in standing.scores.items()
                },
                "gap_to_best": None if standing.gap is None else asdict(standing.gap),
                "fit_cpu_s": standing.answers.fit_cpu_s,
                "learned_weights": standing.answers.learned_weights,
            }
            for standing in comparison.standings
        ],
    }


def _write(file: Path, text: str) -> None:
    with atomic_file(file) as path:
        path.write_text(text, encoding="utf-8")
