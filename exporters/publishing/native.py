"""A variant for the targets `cpu`, `gpu` and `tensorrt`: converted, examined, written, not proved.

The Triton that is bundled here has neither backend, so parity cannot be proved where this
runs. The manifests say so (`parity` is null), the gateway routes nothing to such ensembles, and
they are written to a folder of their own, never into the repository that is served.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exporters.conversion.tensorrt.library import find_tensorrt
from exporters.drift.sources import reference_of_variant
from exporters.evaluation.quality import measure_quality
from exporters.publishing.checkup import fit_to_publish
from exporters.publishing.engines import build_engines
from exporters.publishing.precision import in_precision, require_quantised
from exporters.publishing.stage import convert, unproved_manifests
from exporters.repository.native_models import (
    NativeBranches,
    bucket_lengths,
    decode_folder,
    head_graph_folder,
    image_graph_folder,
    native_ensemble_folder,
    text_graph_folder,
    tokenise_folder,
)
from exporters.repository.native_target import Precision
from exporters.repository.publish import publish, staging, write_model
from exporters.training import train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporters.conversion.tensorrt.engine import EngineReport
    from exporters.conversion.tensorrt.library import TensorRt
    from exporters.doctor import Finding
    from exporters.publishing.stage import Graphs
    from exporters.recipe import Recipe
    from exporters.repository.model_folder import ModelFolder
    from exporters.repository.native_target import NativeTarget
    from exporters.training import TrainedVariant
    from exporters.workspace import Workspace
    from gateway.contract.manifest import ModalitySet

_UNPROVED: Final = "passport-missing"


@dataclass(frozen=True)
class Written:
    """An unproved variant on disk.

    Attributes:
        target: name of its target.
        repository: a Triton model repository with this target's models alone.
        ensembles: model names by modality set.
        warnings: what the doctor says of it, apart from the missing proof.
        engines: what TensorRT built of its graphs; empty for other targets.
    """

    target: str
    repository: Path
    ensembles: dict[ModalitySet, str]
    warnings: tuple[Finding, ...]
    engines: tuple[EngineReport, ...] = ()


def export_native(
    recipe: Recipe,
    workspace: Workspace,
    targets: Sequence[NativeTarget],
    folder: Path,
    *,
    quantised: Path | None = None,
    find_library: Callable[[], TensorRt] = find_tensorrt,
) -> tuple[Written, ...]:
    """Writes a variant for native targets, into `folder`/<target>.

    Args:
        recipe: what to export.
        workspace: where features and heads are kept.
        targets: what to export it for; graphs are converted once for all.
        folder: where the repositories lie.
        quantised: for targets of precision int8, the folder of their Q/DQ graphs.
        find_library: what builds engines for a target `tensorrt`.

    Raises:
        QuantisedGraphsError, MissingRequirementError, NoAcceleratorError: graphs of precision int8,
            or what engines are built with, are not there; told before anything is trained.
        ExporterError: data, encoders or conversion failed, or the doctor found an error; what was
            written before is as it was.
    """
    if any(each.precision is Precision.INT8 for each in targets):
        require_quantised(quantised)
    library = find_library() if any(each.backend == "tensorrt" for each in targets) else None
    variant = train(recipe, workspace)
    with tempfile.TemporaryDirectory(prefix="diptych-graphs-") as scratch:
        graphs = convert(variant, Path(scratch))
        written = []
        for target in targets:
            served = in_precision(variant, graphs, target.precision, quantised)
            engines: tuple[EngineReport, ...] = ()
            if library is not None and target.backend == "tensorrt":
                cache = workspace.timing_cache_file(library.version, library.device)
                served, engines = build_engines(variant, served, target, library, cache)
            each = _write(variant, served, target, folder / target.name)
            written.append(replace(each, engines=engines))
        return tuple(written)


def _write(
    variant: TrainedVariant, graphs: Graphs, target: NativeTarget, repository: Path
) -> Written:
    branches = _branches(variant, graphs, target)
    heads = {
        modalities: head_graph_folder(
            f"{variant.recipe.name}-head-{modalities}",
            graphs.head_inputs[modalities],
            len(variant.labels),
            graph,
            target,
            lengths=bucket_lengths(variant.text_encoder.tokenizer),
        )
        for modalities, graph in graphs.heads.items()
    }
    manifests = unproved_manifests(
        variant, measure_quality(variant), branches.folders, heads, target.device
    )
    # Of graphs that were quantised elsewhere nobody knows what features they give.
    reference = None if target.precision is Precision.INT8 else reference_of_variant(variant)
    ensembles = {
        modalities: native_ensemble_folder(branches, heads[modalities], manifest, target, reference)
        for modalities, manifest in manifests.items()
    }
    folders: list[ModelFolder] = [*branches.folders, *heads.values(), *ensembles.values()]
    with staging(repository) as staged:
        for folder in folders:
            write_model(folder, staged)
        warnings = fit_to_publish(staged, without={_UNPROVED})
        publish(folders, staged, repository)
    names = {modalities: folder.model.name for modalities, folder in ensembles.items()}
    return Written(target.name, repository, names, warnings)


def _branches(variant: TrainedVariant, graphs: Graphs, target: NativeTarget) -> NativeBranches:
    recipe = variant.recipe.target
    image_encoder, text_encoder = variant.image_encoder, variant.text_encoder
    has_sequence = variant.has_sequences
    return NativeBranches(
        decode=decode_folder(image_encoder, recipe, target),
        image=image_graph_folder(
            image_encoder, graphs.image, recipe, target, has_sequence=has_sequence
        ),
        tokenise=tokenise_folder(text_encoder, recipe, target),
        text=text_graph_folder(
            text_encoder, graphs.text, recipe, target, has_sequence=has_sequence
        ),
    )
