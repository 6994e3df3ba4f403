"""Which Triton models a variant is made of, for the target `embedded`.

Five folders hold what computes (two encoders, three heads) and three ensembles tie them together:

    IMAGE ── image encoder ──┐
                             ├── head ── LOGITS        `both`
    TEXT  ── text encoder  ──┘

and the same with one encoder and its own small head where a modality is absent. Decoding runs in
the image encoder's process and tokenising in the text encoder's: with the python backend each
further model costs a process and a copy of the pixels. Encoders are named by their own digest, so
variants over the same encoder share its processes and its batches. Of a dual tower the head is a
projection, and EMBEDDING stands for LOGITS.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from exporters.repository.ensembles import answer_of, assemble, features_width
from exporters.repository.model_config import EnsembleStep, TensorSpec
from exporters.repository.python_step import python_step
from gateway.contract import tensors
from gateway.contract.tensors import IMAGE_FEATURES, TEXT_FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.recipe import TargetRecipe
    from exporters.repository.model_folder import ModelFolder
    from gateway.contract.drift.reference import DriftReference
    from gateway.contract.manifest import EnsembleManifest, ModalitySet

_GRAPH: Final = "model.onnx"
_TOKENIZER: Final = "tokenizer.json"
_FEATURES: Final = "FEATURES"
_TRACE: Final = "TRACE"

# Rows of one execution, and rows that go through the graph together. On a CPU an image gains
# nothing from company; texts gain from others of the same length, which a larger window offers.
_IMAGE_BATCH: Final = 4
_IMAGE_GROUP: Final = 1
_TEXT_BATCH: Final = 16
_TEXT_GROUP: Final = 4
_HEAD_BATCH: Final = 16
_ENSEMBLE_BATCH: Final = min(_IMAGE_BATCH, _TEXT_BATCH, _HEAD_BATCH)


@dataclass(frozen=True)
class Encoders:
    """The two encoder models of a variant."""

    text: ModelFolder
    image: ModelFolder


def text_encoder_folder(encoder: TextEncoder, graph: Path, target: TargetRecipe) -> ModelFolder:
    """The model that tokenises and encodes texts."""
    return python_step(
        prefix="text-encoder",
        files={_GRAPH: graph, _TOKENIZER: encoder.tokenizer.path},
        settings={
            "step": "text_encoder",
            "graph": _GRAPH,
            "tokenizer": _TOKENIZER,
            "max_tokens": encoder.tokenizer.max_tokens,
            "pad_id": encoder.tokenizer.pad_id,
            "pad_to": encoder.tokenizer.pad_to,
            "group_size": _TEXT_GROUP,
        },
        inputs=(TensorSpec.bytes_of(tensors.TEXT),),
        outputs=_encoder_outputs(encoder.dim),
        batch=_TEXT_BATCH,
        instances=target.text_instances,
    )


def image_encoder_folder(encoder: ImageEncoder, graph: Path, target: TargetRecipe) -> ModelFolder:
    """The model that decodes, resizes and encodes images."""
    return python_step(
        prefix="image-encoder",
        files={_GRAPH: graph},
        settings={
            "step": "image_encoder",
            "graph": _GRAPH,
            "preprocessing": asdict(encoder.preprocessing),
            "group_size": _IMAGE_GROUP,
        },
        inputs=(TensorSpec.bytes_of(tensors.IMAGE),),
        outputs=_encoder_outputs(encoder.dim),
        batch=_IMAGE_BATCH,
        instances=target.image_instances,
    )


def head_folder(
    variant: str, modalities: ModalitySet, dims: Mapping[str, int], answer: TensorSpec, graph: Path
) -> ModelFolder:
    """The model that turns the features of one modality set into what the ensemble answers.

    Args:
        variant: name of the variant.
        modalities: what the head takes.
        dims: `text_features` and `image_features`, those that it takes, to their widths.
        answer: the graph's output, its name in upper case; see `ensembles.answer_of`.
        graph: the ONNX file.
    """
    return python_step(
        prefix=f"{variant}-head-{modalities}",
        files={_GRAPH: graph},
        settings={"step": "fusion_head", "graph": _GRAPH},
        inputs=tuple(TensorSpec.floats(name.upper(), dim) for name, dim in dims.items()),
        outputs=(answer,),
        batch=_HEAD_BATCH,
        instances=1,
    )


def ensemble_folder(
    encoders: Encoders,
    head: ModelFolder,
    manifest: EnsembleManifest,
    drift_reference: DriftReference | None = None,
) -> ModelFolder:
    """The ensemble of one modality set."""
    inputs = {name: name for name in _features_of(manifest.modalities)}
    answer = answer_of(manifest).name
    return assemble(
        manifest,
        image=[_encode(encoders.image, tensors.IMAGE, IMAGE_FEATURES, tensors.IMAGE_TRACE)],
        text=[_encode(encoders.text, tensors.TEXT, TEXT_FEATURES, tensors.TEXT_TRACE)],
        head=EnsembleStep(head.model.name, inputs, {answer: answer}),
        max_batch_size=_ENSEMBLE_BATCH,
        feature_dims={
            IMAGE_FEATURES: features_width(encoders.image),
            TEXT_FEATURES: features_width(encoders.text),
        },
        drift_reference=drift_reference,
    )


def _encode(encoder: ModelFolder, source: str, features: str, trace: str) -> EnsembleStep:
    return EnsembleStep(encoder.model.name, {source: source}, {_FEATURES: features, _TRACE: trace})


def _encoder_outputs(dim: int) -> tuple[TensorSpec, ...]:
    return (
        TensorSpec.floats(_FEATURES, dim),
        TensorSpec.floats(_TRACE, len(tensors.TRACE_FIELDS)),
    )


def _features_of(modalities: ModalitySet) -> Iterator[str]:
    if modalities.has_image:
        yield IMAGE_FEATURES
    if modalities.has_text:
        yield TEXT_FEATURES
