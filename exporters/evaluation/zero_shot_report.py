"""The report of a dual tower, for machines (`report.json`) and for people (`report.md`)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from exporters.atomic import atomic_file
from exporters.evaluation.parity import read_proofs
from exporters.evaluation.plots import MODALITY_NAMES, save_reliability
from exporters.evaluation.report import REPORT, markdown_table, parity_section
from exporters.evaluation.zero_shot import measure_zero_shot

if TYPE_CHECKING:
    from exporters.alignment import AlignedTowers
    from exporters.evaluation.zero_shot import ZeroShotQuality

_RELIABILITY: Final = "reliability.png"


def write_zero_shot_report(towers: AlignedTowers) -> ZeroShotQuality:
    """Measures a dual tower and writes report and picture into its run folder.

    Where an export has left its parity proof in that folder, the report shows it.
    """
    quality = measure_zero_shot(towers)
    folder = towers.run_folder
    save_reliability(quality.by_modalities, folder / _RELIABILITY)
    with atomic_file(folder / "report.json") as path:
        content = json.dumps(_as_json(towers, quality), indent=2, ensure_ascii=False)
        path.write_text(content, encoding="utf-8")
    with atomic_file(folder / REPORT) as path:
        path.write_text(_as_markdown(towers, quality), encoding="utf-8")
    return quality


def zero_shot_table(quality: ZeroShotQuality) -> str:
    """Returns the figures as a Markdown table: what sees what, and what sees nothing."""
    rows = [
        (
            MODALITY_NAMES[modalities],
            f"{each.quality.accuracy:.1%}",
            _interval(each.accuracy_interval),
            f"{quality.mean_recall[modalities]:.1%}",
            f"{quality.accuracy_among_all[modalities]:.1%}",
            f"{each.quality.expected_calibration_error:.3f}",
        )
        for modalities, each in quality.by_modalities.items()
    ]
    rows.append(
        (
            "commonest label",
            f"{quality.majority:.1%}",
            _interval(quality.majority_interval),
            f"{quality.chance:.1%}",
            "",
            "",
        )
    )
    rows.append(("chance", f"{quality.chance:.1%}", "", f"{quality.chance:.1%}", "", ""))
    header = (
        "sees",
        "accuracy",
        "95 % interval",
        "mean over labels",
        "among all labels",
        "ECE",
    )
    return markdown_table(header, rows)


def _interval(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def _as_json(towers: AlignedTowers, quality: ZeroShotQuality) -> dict[str, Any]:
    split = towers.split
    return {
        "variant": towers.recipe.name,
        "recipe_digest": towers.recipe.recipe_digest,
        "data_digest": towers.data_digest,
        "held_out_labels": towers.holdout_labels,
        "examples": {
            "train": len(split.train),
            "validation": len(split.validation),
            "holdout": len(split.holdout),
        },
        "chance": quality.chance,
        "majority_accuracy": quality.majority,
        "majority_interval_95": quality.majority_interval,
        "image_weight": float(towers.projections.image_weight),
        "modalities": {
            modalities: {
                **each.quality.model_dump(),
                "accuracy_interval_95": each.accuracy_interval,
                "mean_recall": quality.mean_recall[modalities],
                "accuracy_among_all_labels": quality.accuracy_among_all[modalities],
                "scoring": asdict(towers.scorings[modalities]),
                "labels": [asdict(score) for score in each.label_scores],
            }
            for modalities, each in quality.by_modalities.items()
        },
        "parity": {name: asdict(proof) for name, proof in read_proofs(towers.run_folder).items()},
    }


def _as_markdown(towers: AlignedTowers, quality: ZeroShotQuality) -> str:
    split, labels = towers.split, towers.inputs.table.labels
    trained = (
        f"Aligned on {len(split.train)} pairs of other labels"
        if towers.settings.projection == "trained"
        else "The checkpoint's own space, nothing trained"
    )
    sections = [
        f"# {towers.recipe.name}",
        f"Text encoder {towers.text_encoder.name}, image encoder {towers.image_encoder.name}, "
        f"seed {towers.recipe.seed}. {trained}; calibrated on {len(split.validation)} pairs of "
        f"{len(split.validation_labels)} further labels; measured on {len(split.holdout)} pairs of "
        f"{len(split.holdout_labels)} labels, of {len(labels)}, that it never saw. No pair shares "
        f"its text or a near-twin image with a measured one.",
        zero_shot_table(quality),
        "Mean over labels: each label counts alike. Among all labels: those of training stand "
        "beside the held-out ones. Commonest label: always the one that has most of the measured "
        "pairs, which nobody knows who has only the labels.",
        f"Of an image and a text the image counts {float(towers.projections.image_weight):.2f}, "
        "fitted on the calibration labels.",
        *parity_section(towers.run_folder),
        f"![Confidence against accuracy]({_RELIABILITY})",
    ]
    for modalities, each in quality.by_modalities.items():
        scores = (
            (s.label, f"{s.precision:.3f}", f"{s.recall:.3f}", str(s.examples))
            for s in each.label_scores
        )
        sections += [
            f"## {MODALITY_NAMES[modalities].capitalize()}",
            markdown_table(("label", "precision", "recall", "examples"), scores),
        ]
    return "\n\n".join(sections) + "\n"
