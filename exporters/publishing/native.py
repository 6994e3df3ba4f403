"""A variant for the targets `cpu` and `gpu`: converted, examined and written, not proved.

The Triton that is bundled here has no onnxruntime backend, so parity cannot be proved where this
runs. The manifests say so (`parity` is null), the gateway routes nothing to such ensembles, and
they are written to a folder of their own, never into the repository that is served.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from exporters.conversion.half_precision import write_half_precision
from exporters.evaluation.quality import measure_quality
from exporters.publishing.checkup import fit_to_publish
from exporters.publishing.stage import Graphs, convert, unproved_manifests
from exporters.repository.native_models import (
    NativeBranches,
    decode_folder,
    head_graph_folder,
    image_graph_folder,
    native_ensemble_folder,
    text_graph_folder,
    tokenise_folder,
)
from exporters.repository.publish import publish, staging, write_model
from exporters.training import train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.doctor import Finding
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
    """

    target: str
    repository: Path
    ensembles: dict[ModalitySet, str]
    warnings: tuple[Finding, ...]


def export_native(
    recipe: Recipe, workspace: Workspace, targets: Sequence[NativeTarget], folder: Path
) -> tuple[Written, ...]:
    """Writes a variant for native targets, into `folder`/<target>.

    Args:
        recipe: what to export.
        workspace: where features and heads are kept.
        targets: what to export it for; graphs are converted once for all.
        folder: where the repositories lie.

    Raises:
        ExporterError: data, encoders or conversion failed, or the doctor found an error; what was
            written before is as it was.
    """
    variant = train(recipe, workspace)
    with tempfile.TemporaryDirectory(prefix="diptych-graphs-") as scratch:
        graphs = convert(variant, Path(scratch))
        return tuple(_write(variant, graphs, target, folder / target.name) for target in targets)


def _write(
    variant: TrainedVariant, graphs: Graphs, target: NativeTarget, repository: Path
) -> Written:
    branches = _branches(variant, graphs, target)
    heads = {
        modalities: head_graph_folder(
            f"{variant.recipe.name}-head-{modalities}",
            graphs.head_dims[modalities],
            len(variant.labels),
            graph,
            target,
        )
        for modalities, graph in graphs.heads.items()
    }
    manifests = unproved_manifests(
        variant, measure_quality(variant), branches.folders, heads, target.device
    )
    ensembles = {
        modalities: native_ensemble_folder(branches, heads[modalities], manifest, target)
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
    text_graph, image_graph = graphs.text, graphs.image
    if target.precision == "fp16":
        text_graph, image_graph = _in_half_precision(variant, graphs)
    image_encoder, text_encoder = variant.image_encoder, variant.text_encoder
    return NativeBranches(
        decode=decode_folder(image_encoder, recipe, target),
        image=image_graph_folder(image_encoder, image_graph, recipe, target),
        tokenise=tokenise_folder(text_encoder, recipe, target),
        text=text_graph_folder(text_encoder, text_graph, recipe, target),
    )


def _in_half_precision(variant: TrainedVariant, graphs: Graphs) -> tuple[Path, Path]:
    """Writes fp16 graphs beside the others, each compared on its own kind of input."""
    text_graph, image_graph = (
        graph.with_stem(f"{graph.stem}-fp16") for graph in (graphs.text, graphs.image)
    )
    ids, mask = variant.text_encoder.tokenizer.encode_batch(
        ["a short text", "a longer text, so that the mask of the short one hides something " * 3]
    )
    write_half_precision(graphs.text, text_graph, {"input_ids": ids, "attention_mask": mask})
    size = variant.image_encoder.preprocessing
    noise = np.random.default_rng(0).integers(0, 256, (2, size.height, size.width, 3), np.uint8)
    write_half_precision(graphs.image, image_graph, {"pixels": noise})
    return text_graph, image_graph
