"""The TensorRT plans of a variant, and the record of what they came to."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from exporters.atomic import atomic_file
from exporters.conversion.tensorrt.engine import build_engine
from exporters.conversion.tensorrt.profiles import head_profiles, image_profiles, text_profiles
from exporters.progress import progress
from exporters.repository.native_models import bucket_lengths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exporters.conversion.tensorrt.engine import EngineReport
    from exporters.conversion.tensorrt.library import TensorRt
    from exporters.conversion.tensorrt.profiles import Profile
    from exporters.publishing.stage import Graphs
    from exporters.repository.native_target import NativeTarget
    from exporters.training import TrainedVariant


def build_engines(
    variant: TrainedVariant,
    graphs: Graphs,
    target: NativeTarget,
    library: TensorRt,
    timing_cache: Path,
) -> tuple[Graphs, tuple[EngineReport, ...]]:
    """Builds a plan beside each graph.

    Args:
        variant: whose graphs they are.
        graphs: in the target's precision.
        target: gives the largest batches.
        library: what builds.
        timing_cache: kernels that were timed before; read and written.

    Returns:
        The plans in the graphs' places, and a report for each.

    Raises:
        ConversionError: a graph is not taken, or there is no GPU where one is needed.
    """
    size = variant.image_encoder.preprocessing
    lengths = bucket_lengths(variant.text_encoder.tokenizer)
    profiles: dict[Path, Sequence[Profile]] = {
        graphs.image: image_profiles(size.height, size.width, target.image_batch),
        graphs.text: text_profiles(lengths, target.text_batch),
        **{
            graph: head_profiles(graphs.head_inputs[modalities], target.head_batch, lengths)
            for modalities, graph in graphs.heads.items()
        },
    }
    reports = []
    scratch = graphs.heads[next(iter(graphs.heads))].parent  # quantised graphs lie elsewhere
    plans = {graph: scratch / f"{target.name}-{graph.stem}.plan" for graph in profiles}
    with progress(f"Building engines ({library.name} {library.version})", len(profiles)) as advance:
        for graph, plan in plans.items():
            report = build_engine(
                graph,
                profiles[graph],
                plan,
                library,
                timing_cache=timing_cache,
                on_step=lambda phase, name=graph.stem: advance(0, note=f"{name}: {phase}"),  # type: ignore[misc]
            )
            reports.append(report)
            advance(note=f"{graph.stem}: {report.build_s:.0f} s")
    built = replace(
        graphs,
        text=plans[graphs.text],
        image=plans[graphs.image],
        heads={modalities: plans[graph] for modalities, graph in graphs.heads.items()},
    )
    return built, tuple(reports)


def write_engine_reports(reports: Sequence[EngineReport], file: Path) -> None:
    """Leaves the reports of a variant's engines as JSON."""
    with atomic_file(file) as path:
        fields = [asdict(report) for report in reports]
        path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")


def engine_table(reports: Sequence[EngineReport]) -> str:
    """The reports as lines that a person reads: in which precision do products compute?"""
    lines = []
    for each in reports:
        layers = "; ".join(
            f"{kind}: {', '.join(f'{count} {name}' for name, count in sorted(found.items()))}"
            for kind, found in each.layers.items()
            if found
        )
        source = "read from the engine" if each.is_read_back else "of the typed network"
        lines.append(
            f"{each.graph}: {layers} ({source}); profiles: {each.profiles}; "
            f"{each.plan_bytes / 1e6:.1f} MB in {each.build_s:.1f} s"
        )
    return "\n".join(lines)
