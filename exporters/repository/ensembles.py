"""The ensemble of one modality set: the same name and signature whatever its steps are.

A branch leads from one input of a request to the features of its modality, in as many steps as its
target needs; the head joins the branches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporters.repository.model_config import EnsembleModel, EnsembleStep, TensorSpec
from exporters.repository.model_folder import DIGEST_CHARS, ModelFolder
from gateway.contract import tensors
from gateway.contract.manifest import ModalitySet
from gateway.contract.tensors import IMAGE_FEATURES, TEXT_FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.contract.drift.reference import DriftReference
    from gateway.contract.manifest import EnsembleManifest

IMAGE_SEQUENCE: Final = "IMAGE_SEQUENCE"
TEXT_SEQUENCE: Final = "TEXT_SEQUENCE"


def assemble(  # noqa: PLR0913  # the parts of one ensemble
    manifest: EnsembleManifest,
    image: Sequence[EnsembleStep],
    text: Sequence[EnsembleStep],
    head: EnsembleStep,
    max_batch_size: int,
    *,
    feature_dims: Mapping[str, int],
    drift_reference: DriftReference | None = None,
) -> ModelFolder:
    """Ties steps together, those of an absent modality left out.

    Args:
        manifest: what the ensemble says of itself; its modalities choose the branches.
        image: from `IMAGE` to `IMAGE_FEATURES`, `IMAGE_TRACE` and, where the head takes it,
            `IMAGE_SEQUENCE`.
        text: the same of `TEXT`.
        head: from the features or sequences of the modalities to `answer_of(manifest)`.
        max_batch_size: rows of a request, at most; no step may take fewer.
        feature_dims: widths of `IMAGE_FEATURES` and `TEXT_FEATURES`.
        drift_reference: of the variant; only the ensemble of both modalities carries it.
    """
    branches = (
        (
            manifest.modalities.has_image,
            tensors.IMAGE,
            (tensors.IMAGE_TRACE, IMAGE_FEATURES),
            image,
        ),
        (manifest.modalities.has_text, tensors.TEXT, (tensors.TEXT_TRACE, TEXT_FEATURES), text),
    )
    inputs, outputs = [], []
    steps: list[EnsembleStep] = []
    for is_present, source, (trace, features), branch in branches:
        if is_present:
            inputs.append(TensorSpec.bytes_of(source))
            outputs.append(TensorSpec.floats(trace, len(tensors.TRACE_FIELDS)))
            outputs.append(TensorSpec.floats(features, feature_dims[features]))
            steps += branch
    outputs.append(answer_of(manifest))
    model = EnsembleModel(
        name=f"{manifest.variant}-{manifest.digest[:DIGEST_CHARS]}-{manifest.modalities}",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        max_batch_size=max_batch_size,
        steps=(*steps, head),
        manifest=manifest,
        drift_reference=drift_reference if manifest.modalities is ModalitySet.BOTH else None,
    )
    return ModelFolder(model, files={})


def answer_of(manifest: EnsembleManifest) -> TensorSpec:
    """What an ensemble answers: logits of its labels, or an embedding."""
    if manifest.dual_tower is not None:
        return TensorSpec.floats(tensors.EMBEDDING, manifest.dual_tower.embedding_dim)
    return TensorSpec.floats(tensors.LOGITS, len(manifest.labels))


def features_width(encoder: ModelFolder) -> int:
    """Width of the features that an encoder's model gives, its first output."""
    return encoder.model.outputs[0].shape[-1]
