"""The report of a run, for machines (`report.json`) and for people (`report.md` with pictures)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from exporters.atomic import atomic_file
from exporters.evaluation.finetuning_gain import finetuning_gain
from exporters.evaluation.parity import read_proofs
from exporters.evaluation.plots import MODALITY_NAMES, save_confusion, save_reliability
from exporters.evaluation.quality import majority_accuracy, measure_quality
from exporters.evaluation.report_json import as_json, by_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from exporters.evaluation.quality import ModalityQuality, TaskQuality
    from exporters.training import TrainedVariant
    from gateway.contract.manifest import ModalitySet

REPORT: Final = "report.md"

_MOST_LABELS_DRAWN: Final = 40


def write_report(variant: TrainedVariant) -> dict[ModalitySet, ModalityQuality]:
    """Measures a variant and writes report and pictures into its run folder.

    Where an export has left its parity proof in that folder, the report shows it.

    Returns:
        What was measured, for each set of modalities.
    """
    qualities = measure_quality(variant)
    folder = variant.run_folder
    for by_modality in by_task(variant, qualities):
        save_reliability(by_modality, folder / _reliability_name(variant, by_modality))
        for quality in by_modality.values():
            if (name := _confusion_name(variant, quality)) and quality.confusion is not None:
                save_confusion(quality, quality.confusion, folder / name)
    content = json.dumps(as_json(variant, qualities), indent=2, ensure_ascii=False)
    _write(folder / "report.json", content)
    _write(folder / REPORT, _as_markdown(variant, qualities))
    return qualities


def quality_table(qualities: Mapping[ModalitySet, ModalityQuality]) -> str:
    """Returns the figures as a Markdown table, a row a set of modalities; of several tasks, more.

    Columns that only several labels have are there where a task has several labels.
    """
    first = next(iter(qualities.values()))
    has_tasks = len(first.tasks) > 1
    has_several = any(each.several for each in first.tasks)
    rows = [
        [
            *([of_task.task.name] if has_tasks else []),
            MODALITY_NAMES[each.modalities],
            f"{of_task.quality.accuracy:.1%}",
            f"{of_task.accuracy_interval[0]:.1%} to {of_task.accuracy_interval[1]:.1%}",
            f"{of_task.quality.macro_f1:.3f}",
            *(_several_cells(of_task) if has_several else []),
            f"{of_task.uncalibrated.expected_calibration_error:.3f}",
            f"{of_task.quality.expected_calibration_error:.3f}",
            f"{of_task.calibration.temperature:.2f}",
        ]
        for number in range(len(first.tasks))
        for each in qualities.values()
        for of_task in [each.tasks[number]]
    ]
    header = [
        *(["task"] if has_tasks else []),
        *("modalities", "accuracy", "95 % interval", "macro F1"),
        *(["micro F1", "average precision"] if has_several else []),
        *("ECE before", "ECE after", "temperature"),
    ]
    return markdown_table(tuple(header), map(tuple, rows))


def _several_cells(quality: TaskQuality) -> list[str]:
    if quality.several is None:
        return ["", ""]
    return [f"{quality.several.micro_f1:.3f}", f"{quality.several.average_precision:.3f}"]


def _as_markdown(variant: TrainedVariant, qualities: Mapping[ModalitySet, ModalityQuality]) -> str:
    split = variant.split
    sections = [
        f"# {variant.recipe.name}",
        f"Text encoder {variant.text_encoder.name}, image encoder {variant.image_encoder.name}, "
        f"head {variant.recipe.head.type}, seed {variant.recipe.seed}. Fitted on "
        f"{len(split.train)} examples, stopped and calibrated on {len(split.validation)}, measured "
        f"on {len(split.holdout)} held-out ones that share no text and no near-twin image with the "
        f"others. Always answering the commonest label: {_majorities(variant)}.",
        quality_table(qualities),
        *_several_section(variant),
        *_weights_section(variant),
        *_fine_tuning_section(variant),
        *parity_section(variant.run_folder),
    ]
    for by_modality in by_task(variant, qualities):
        sections += _task_section(variant, by_modality)
    return "\n\n".join(sections) + "\n"


def _majorities(variant: TrainedVariant) -> str:
    shares = [f"{majority_accuracy(variant, number):.1%}" for number in range(len(variant.tasks))]
    if len(shares) == 1:
        return shares[0]
    named = zip(variant.tasks, shares, strict=True)
    return ", ".join(f"{task.name} {share}" for task, share in named)


def _several_section(variant: TrainedVariant) -> list[str]:
    if not any(task.is_multi_label for task in variant.tasks):
        return []
    return [
        "Where several labels are possible, an answer is all labels above their own thresholds "
        "(fitted for F1 on validation examples, or set by the recipe), and accuracy is the share "
        "of examples whose set of labels is exactly right. Average precision needs no threshold."
    ]


def _task_section(
    variant: TrainedVariant, by_modality: Mapping[ModalitySet, TaskQuality]
) -> list[str]:
    picture = _reliability_name(variant, by_modality)
    sections = [f"![Confidence against accuracy]({picture})"]
    prefix = ""
    if len(variant.tasks) > 1:
        name = next(iter(by_modality.values())).task.name
        sections, prefix = [f"## Task {name}", *sections], f"{name}: "
    for modalities, each in by_modality.items():
        thresholds = each.calibration.thresholds
        cut = [f"{threshold:.3f}" for threshold in thresholds] or [""] * len(each.label_scores)
        scores = (
            (
                *(s.label, f"{s.precision:.3f}", f"{s.recall:.3f}", f"{s.f1:.3f}"),
                *([threshold] if thresholds else []),
                str(s.examples),
            )
            for s, threshold in zip(each.label_scores, cut, strict=True)
        )
        threshold_header = ("threshold",) if thresholds else ()
        header = ("label", "precision", "recall", "F1", *threshold_header, "examples")
        heading = f"{prefix}{MODALITY_NAMES[modalities]}"
        sections += [
            f"## {heading[0].upper()}{heading[1:]}",
            markdown_table(header, scores),
        ]
        if confusion := _confusion_name(variant, each):
            sections.append(f"![Confusion matrix]({confusion})")
    return sections


def _weights_section(variant: TrainedVariant) -> list[str]:
    weights = variant.head.learned_weights()
    if not weights:
        return []
    shares = ", ".join(f"{name} {weight:.3f}" for name, weight in weights.items())
    return [f"What the head learned to listen to, of 1 in all: {shares}."]


def _fine_tuning_section(variant: TrainedVariant) -> list[str]:
    gains = finetuning_gain(variant)
    if not gains:
        return []
    settings = variant.recipe.finetune
    rows = (
        (
            MODALITY_NAMES[modalities],
            f"{gain.frozen:.1%}",
            f"{gain.tuned:.1%}",
            f"{100 * (gain.tuned - gain.frozen):+.1f}",
            f"{100 * gain.interval[0]:+.1f} to {100 * gain.interval[1]:+.1f}",
            f"{gain.p:.3f}",
        )
        for modalities, gain in gains.items()
    )
    return [
        "## Fine-tuning",
        f"Last layers that were trained: text {settings.text_layers}, image "
        f"{settings.image_layers}. Against the frozen start, on the same held-out examples, with "
        "95 % intervals and p of a paired permutation test over groups of near twins.",
        markdown_table(("modalities", "frozen", "tuned", "points", "95 % interval", "p"), rows),
    ]


def parity_section(run_folder: Path) -> list[str]:
    """Returns the paragraphs of the parity proof; none before the first export."""
    proofs = read_proofs(run_folder)
    if not proofs:
        return []
    rows = (
        (
            MODALITY_NAMES[modalities],
            str(proof.samples),
            f"{proof.max_abs_difference:.1e}",
            f"{proof.tolerance:.0e}",
            str(proof.label_flips),
            "passed" if proof.has_passed else "failed",
        )
        for modalities, proof in proofs.items()
    )
    header = ("modalities", "samples", "largest difference", "allowed", "label flips", "verdict")
    return [
        "## Parity",
        "Probabilities of the served ensembles, through Triton over gRPC, against the torch fp32 "
        "model, on held-out examples from file to answer.",
        markdown_table(header, rows),
    ]


def markdown_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Returns a Markdown table; a row has as many cells as the header."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _reliability_name(
    variant: TrainedVariant, by_modality: Mapping[ModalitySet, TaskQuality]
) -> str:
    return f"reliability{_infix(variant, next(iter(by_modality.values())))}.png"


def _confusion_name(variant: TrainedVariant, quality: TaskQuality) -> str | None:
    """File of a picture; None where there is nothing to draw, or too much for anyone to read."""
    if quality.confusion is None or len(quality.task.labels) > _MOST_LABELS_DRAWN:
        return None
    return f"confusion{_infix(variant, quality)}_{quality.modalities}.png"


def _infix(variant: TrainedVariant, quality: TaskQuality) -> str:
    return f"_{quality.task.name}" if len(variant.tasks) > 1 else ""


def _write(file: Path, text: str) -> None:
    with atomic_file(file) as path:
        path.write_text(text, encoding="utf-8")
