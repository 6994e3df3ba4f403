"""The report of a retraining: `retraining.md` and `retraining.json` in the candidate's run."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from exporters.atomic import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.retraining.judgement import Judgement
    from exporters.retraining.parts import Parts
    from exporters.retraining.recent import RecentExamples
    from exporters.training import TrainedVariant
    from gateway.contract.manifest import Lineage

RETRAINING_REPORT: Final = "retraining.md"


def write_retraining_report(
    made: TrainedVariant,
    lineage: Lineage,
    judgement: Judgement,
    recent: RecentExamples,
    parts: Parts,
) -> Path:
    """Writes what the candidate was made from and how it was judged, refused or not."""
    folder = made.run_folder
    refusal = judgement.refusal
    verdict = f"**Refused**: {refusal}" if refusal else "**Accepted**: it is no worse."
    bounds = judgement.bounds
    lines = [
        f"# Retraining: {made.recipe.name}",
        "",
        verdict,
        "",
        f"Against {lineage.parent} {lineage.parent_digest[:12]}, on the same held-out examples; "
        "intervals by a paired bootstrap of groups of near twins, p-values by their signs.",
        "",
        "| examples | count | live | candidate | gain | 90 % interval | p | accepted |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, each, accepted in (
        ("recent, held out", judgement.recent, f"lower end above -{bounds.recent:.1%}"),
        ("original, held out", judgement.original, f"gain above -{bounds.original:.1%}"),
    ):
        lines.append(
            f"| {name} | {each.examples} | {each.live:.1%} | {each.candidate:.1%} "
            f"| {each.gain:+.1%} | {each.lower:+.1%} to {each.upper:+.1%} | {each.p_value:.2g} "
            f"| {accepted} |"
        )
    lines += [
        "",
        f"{len(recent)} labelled predictions from {lineage.feedback_since:%Y-%m-%d %H:%M} to "
        f"{lineage.feedback_until:%Y-%m-%d %H:%M} UTC: {len(parts.train)} fitted on, "
        f"{len(parts.validation)} to stop and calibrate by, {len(parts.held_out)} held out; "
        f"{recent.left_out_text}. They had {lineage.feedback_share:.0%} of the loss.",
    ]
    fields = {
        "variant": made.recipe.name,
        "refusal": refusal,
        "lineage": lineage.model_dump(mode="json"),
        "recent": asdict(judgement.recent),
        "original": asdict(judgement.original),
        "bounds": asdict(bounds),
        "left_out": dict(recent.left_out),
    }
    with atomic_file(folder / "retraining.json") as path:
        path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
    with atomic_file(folder / RETRAINING_REPORT) as path:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / RETRAINING_REPORT
