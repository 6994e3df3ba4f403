"""The report of a compression: what each step costs and gains, for people and for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from exporters.atomic import atomic_file
from exporters.compression.side import Side
from exporters.evaluation.plots import MODALITY_NAMES
from exporters.evaluation.report import markdown_table
from gateway.contract.manifest import ModalitySet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from exporters.compression.compressed_encoder import CompressedEncoder
    from exporters.compression.judgement import Cost
    from exporters.compression.run import CompressedVariant, Stage
    from exporters.evaluation.parity import Parity
    from gateway.contract.manifest import DistanceToOriginal

REPORT: Final = "compression.md"

_FIGURES: Final = "compression.json"
_MB: Final = 1e6


def write_compression_report(
    compressed: CompressedVariant,
    proofs: Mapping[ModalitySet, Parity],
    distances: Mapping[ModalitySet, DistanceToOriginal],
) -> Path:
    """Writes report and figures into the compressed variant's folder.

    Returns:
        The Markdown report.
    """
    folder = compressed.variant.run_folder
    figures = json.dumps(_as_json(compressed, proofs, distances), indent=2, ensure_ascii=False)
    _write(folder / _FIGURES, figures + "\n")
    _write(folder / REPORT, _as_markdown(compressed, proofs, distances))
    return folder / REPORT


def cost_table(compressed: CompressedVariant) -> str:
    """Accuracy and changed answers after each step, as a Markdown table."""
    header = (
        "after",
        "head",
        *(f"{MODALITY_NAMES[modalities]}, lost, changed" for modalities in ModalitySet),
    )
    rows = []
    for stage in compressed.stages:
        rows.append((stage.name, "as it was", *map(_cost, stage.kept.values())))
        if stage.steps:
            rows.append((stage.name, "fitted again", *map(_cost, stage.refitted.values())))
    return markdown_table(header, rows)


def speed_table(compressed: CompressedVariant) -> str:
    """Size and processor time after each step, as a Markdown table."""
    header = (
        "after",
        "graphs, MB",
        "text, ms",
        "image, ms",
        "encoders, times quicker",
        "whole request, ms",
        "times quicker",
    )
    first = compressed.stages[0]
    rows = [
        (
            stage.name,
            f"{stage.bytes / _MB:.1f}",
            *(
                f"{compressed.times[side].encode_ms[stage.encoders[side].name]:.2f}"
                for side in Side
            ),
            f"{compressed.encode_ms(first) / compressed.encode_ms(stage):.2f}",
            f"{compressed.request_ms(stage):.2f}",
            f"{compressed.request_ms(first) / compressed.request_ms(stage):.2f}",
        )
        for stage in compressed.stages
    ]
    return markdown_table(header, rows)


def _as_markdown(
    compressed: CompressedVariant,
    proofs: Mapping[ModalitySet, Parity],
    distances: Mapping[ModalitySet, DistanceToOriginal],
) -> str:
    original = compressed.original
    is_fitted = "fitted again" if compressed.has_refitted_head else "as it was"
    sections = [
        f"# {compressed.variant.recipe.name}",
        f"{original.recipe.name}, compressed: {compressed.last.name}. Published with the head "
        f"{is_fitted}; temperatures are fitted again in any case.",
        "## What it costs",
        f"Accuracy on {len(original.split.holdout)} held-out examples, points lost, and share of "
        "answers that are no longer the original's.",
        cost_table(compressed),
        "## What it gains",
        "Processor time of one thread for one request, from image file and text to features, mean "
        "over held-out examples, median of rounds in which all graphs take turns. The head (0.1 "
        "ms) and the server are not in it.",
        speed_table(compressed),
        "## What was done",
        *(_encoder_section(encoder) for encoder in compressed.last.encoders.values()),
        "## Parity",
        "Probabilities of the served ensembles against the compressed graphs run directly, one "
        "example at a time; and the distance of both from the torch fp32 model on all held-out "
        "examples, which is reported and not bounded.",
        _parity_table(proofs, distances),
    ]
    return "\n\n".join(sections) + "\n"


def _encoder_section(encoder: CompressedEncoder) -> str:
    company = encoder.batch_dependence
    lines = [f"**{encoder.side}**: {encoder.name}, {encoder.bytes / _MB:.1f} MB."]
    for step, sentences in zip(encoder.steps, encoder.notes, strict=True):
        lines += [f"- {step.method}: {sentence}" for sentence in sentences]
    lines.append(
        f"- alone and among batch mates: features differ by at most "
        f"{company.largest_difference:.1e} of the largest value (cosine {company.mean_cosine:.4f} "
        f"on average, {company.smallest_cosine:.4f} at worst) over {company.examples} examples"
    )
    return "\n".join([lines[0], "", *lines[1:]])


def _parity_table(
    proofs: Mapping[ModalitySet, Parity], distances: Mapping[ModalitySet, DistanceToOriginal]
) -> str:
    header = (
        "modalities",
        "samples",
        "largest difference",
        "allowed",
        "label flips",
        "verdict",
        "from fp32: largest difference",
        "label flips",
    )
    rows = (
        (
            MODALITY_NAMES[modalities],
            str(proof.samples),
            f"{proof.max_abs_difference:.1e}",
            f"{proof.tolerance:.0e}",
            str(proof.label_flips),
            "passed" if proof.has_passed else "failed",
            f"{distances[modalities].max_abs_difference:.2f}",
            f"{distances[modalities].label_flips} of {distances[modalities].samples}",
        )
        for modalities, proof in proofs.items()
    )
    return markdown_table(header, rows)


def _as_json(
    compressed: CompressedVariant,
    proofs: Mapping[ModalitySet, Parity],
    distances: Mapping[ModalitySet, DistanceToOriginal],
) -> dict[str, Any]:
    return {
        "variant": compressed.variant.recipe.name,
        "recipe": compressed.original.recipe.name,
        "has_refitted_head": compressed.has_refitted_head,
        "stages": [_stage_as_json(compressed, stage) for stage in compressed.stages],
        "times": {side: asdict(times) for side, times in compressed.times.items()},
        "parity": {name: asdict(proof) for name, proof in proofs.items()},
        "distance_to_original": {name: each.model_dump() for name, each in distances.items()},
    }


def _stage_as_json(compressed: CompressedVariant, stage: Stage) -> dict[str, Any]:
    return {
        "steps": [str(step) for step in stage.steps],
        "graph_bytes": stage.bytes,
        "encode_cpu_ms": compressed.encode_ms(stage),
        "request_cpu_ms": compressed.request_ms(stage),
        "kept_head": {name: asdict(cost) for name, cost in stage.kept.items()},
        "refitted_head": {name: asdict(cost) for name, cost in stage.refitted.items()},
        "encoders": {
            side: {
                "steps": [step.on_its_side for step in encoder.steps],
                "graph_bytes": encoder.bytes,
                "figures": encoder.figures,
                "batch_dependence": asdict(encoder.batch_dependence),
            }
            for side, encoder in stage.encoders.items()
        },
    }


def _cost(cost: Cost) -> str:
    return f"{100 * cost.accuracy:.1f}, {100 * cost.loss:+.1f}, {100 * cost.changed_ratio:.1f} %"


def _write(file: Path, text: str) -> None:
    with atomic_file(file) as path:
        path.write_text(text, encoding="utf-8")
