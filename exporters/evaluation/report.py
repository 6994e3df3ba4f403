"""The report of a run, for machines (`report.json`) and for people (`report.md` with pictures)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from exporters.atomic import atomic_file
from exporters.evaluation.finetuning_gain import finetuning_gain
from exporters.evaluation.parity import read_proofs
from exporters.evaluation.plots import MODALITY_NAMES, save_confusion, save_reliability
from exporters.evaluation.quality import majority_accuracy, measure_quality

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from exporters.evaluation.quality import ModalityQuality
    from exporters.training import TrainedVariant
    from gateway.contract.manifest import ModalitySet

REPORT: Final = "report.md"

_RELIABILITY: Final = "reliability.png"


def write_report(variant: TrainedVariant) -> dict[ModalitySet, ModalityQuality]:
    """Measures a variant and writes report and pictures into its run folder.

    Where an export has left its parity proof in that folder, the report shows it.

    Returns:
        What was measured, for each set of modalities.
    """
    qualities = measure_quality(variant)
    folder = variant.run_folder
    for modalities, quality in qualities.items():
        save_confusion(quality, variant.labels, folder / _confusion_name(modalities))
    save_reliability(qualities, folder / _RELIABILITY)
    content = json.dumps(_as_json(variant, qualities), indent=2, ensure_ascii=False)
    _write(folder / "report.json", content)
    _write(folder / REPORT, _as_markdown(variant, qualities))
    return qualities


def quality_table(qualities: Mapping[ModalitySet, ModalityQuality]) -> str:
    """Returns the figures as a Markdown table, a row a set of modalities."""
    rows = (
        (
            MODALITY_NAMES[modalities],
            f"{each.quality.accuracy:.1%}",
            f"{each.accuracy_interval[0]:.1%} to {each.accuracy_interval[1]:.1%}",
            f"{each.quality.macro_f1:.3f}",
            f"{each.uncalibrated.expected_calibration_error:.3f}",
            f"{each.quality.expected_calibration_error:.3f}",
            f"{each.temperature:.2f}",
        )
        for modalities, each in qualities.items()
    )
    header = ("modalities", "accuracy", "95 % interval", "macro F1")
    calibration = ("ECE before", "ECE after", "temperature")
    return markdown_table(header + calibration, rows)


def _as_json(
    variant: TrainedVariant, qualities: Mapping[ModalitySet, ModalityQuality]
) -> dict[str, Any]:
    return {
        "variant": variant.recipe.name,
        "recipe_digest": variant.recipe.recipe_digest,
        "data_digest": variant.data_digest,
        "labels": variant.labels,
        "examples": {part: len(rows) for part, rows in vars(variant.split).items()},
        "majority_accuracy": majority_accuracy(variant),
        "learned_weights": variant.head.learned_weights(),
        "modalities": {
            modalities: {
                **each.quality.model_dump(),
                "accuracy_interval_95": each.accuracy_interval,
                "temperature": each.temperature,
                "uncalibrated_expected_calibration_error": (
                    each.uncalibrated.expected_calibration_error
                ),
                "labels": [asdict(score) for score in each.label_scores],
                "confusion": each.confusion.tolist(),
                "reliability": {
                    name: bins.tolist() for name, bins in vars(each.calibrated).items()
                },
            }
            for modalities, each in qualities.items()
        },
        "fine_tuning": {name: asdict(gain) for name, gain in finetuning_gain(variant).items()},
        "parity": {name: asdict(proof) for name, proof in read_proofs(variant.run_folder).items()},
    }


def _as_markdown(variant: TrainedVariant, qualities: Mapping[ModalitySet, ModalityQuality]) -> str:
    split = variant.split
    sections = [
        f"# {variant.recipe.name}",
        f"Text encoder {variant.text_encoder.name}, image encoder {variant.image_encoder.name}, "
        f"head {variant.recipe.head.type}, seed {variant.recipe.seed}. Fitted on "
        f"{len(split.train)} examples, stopped and calibrated on {len(split.validation)}, measured "
        f"on {len(split.holdout)} held-out ones that share no text and no near-twin image with the "
        f"others. Always answering the commonest label: {majority_accuracy(variant):.1%}.",
        quality_table(qualities),
        *_weights_section(variant),
        *_fine_tuning_section(variant),
        *parity_section(variant.run_folder),
        f"![Confidence against accuracy]({_RELIABILITY})",
    ]
    for modalities, each in qualities.items():
        scores = (
            (s.label, f"{s.precision:.3f}", f"{s.recall:.3f}", f"{s.f1:.3f}", str(s.examples))
            for s in each.label_scores
        )
        sections += [
            f"## {MODALITY_NAMES[modalities].capitalize()}",
            markdown_table(("label", "precision", "recall", "F1", "examples"), scores),
            f"![Confusion matrix]({_confusion_name(modalities)})",
        ]
    return "\n\n".join(sections) + "\n"


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


def _confusion_name(modalities: ModalitySet) -> str:
    return f"confusion_{modalities}.png"


def _write(file: Path, text: str) -> None:
    with atomic_file(file) as path:
        path.write_text(text, encoding="utf-8")
