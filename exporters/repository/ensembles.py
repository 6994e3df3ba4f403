"""The ensemble of one modality set: the same name and signature whatever its steps are.

A branch leads from one input of a request to the features of its modality, in as many steps as its
target needs; the head joins the branches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporters.repository.model_config import EnsembleModel, EnsembleStep, TensorSpec
from exporters.repository.model_folder import DIGEST_CHARS, ModelFolder
from gateway.contract import tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.contract.manifest import EnsembleManifest

IMAGE_FEATURES: Final = "IMAGE_FEATURES"
TEXT_FEATURES: Final = "TEXT_FEATURES"


def assemble(
    manifest: EnsembleManifest,
    image: Sequence[EnsembleStep],
    text: Sequence[EnsembleStep],
    head: EnsembleStep,
    max_batch_size: int,
) -> ModelFolder:
    """Ties steps together, those of an absent modality left out.

    Args:
        manifest: what the ensemble says of itself; its modalities choose the branches.
        image: from `IMAGE` to `IMAGE_FEATURES` and `IMAGE_TRACE`.
        text: from `TEXT` to `TEXT_FEATURES` and `TEXT_TRACE`.
        head: from the features of the modalities to `answer_of(manifest)`.
        max_batch_size: rows of a request, at most; no step may take fewer.
    """
    branches = (
        (manifest.modalities.has_image, tensors.IMAGE, tensors.IMAGE_TRACE, image),
        (manifest.modalities.has_text, tensors.TEXT, tensors.TEXT_TRACE, text),
    )
    inputs, outputs = [], []
    steps: list[EnsembleStep] = []
    for is_present, source, trace, branch in branches:
        if is_present:
            inputs.append(TensorSpec.bytes_of(source))
            outputs.append(TensorSpec.floats(trace, len(tensors.TRACE_FIELDS)))
            steps += branch
    outputs.append(answer_of(manifest))
    model = EnsembleModel(
        name=f"{manifest.variant}-{manifest.digest[:DIGEST_CHARS]}-{manifest.modalities}",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        max_batch_size=max_batch_size,
        steps=(*steps, head),
        manifest=manifest,
    )
    return ModelFolder(model, files={})


def answer_of(manifest: EnsembleManifest) -> TensorSpec:
    """What an ensemble answers: logits of its labels, or an embedding."""
    if manifest.dual_tower is not None:
        return TensorSpec.floats(tensors.EMBEDDING, manifest.dual_tower.embedding_dim)
    return TensorSpec.floats(tensors.LOGITS, len(manifest.labels))
