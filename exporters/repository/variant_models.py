"""Which Triton models a variant is made of, for the target `embedded`.

Five folders hold what computes (two encoders, three heads) and three ensembles tie them together:

    IMAGE ── image encoder ──┐
                             ├── head ── LOGITS        `both`
    TEXT  ── text encoder  ──┘

and the same with one encoder and its own small head where a modality is absent. Decoding runs in
the image encoder's process and tokenising in the text encoder's: with the python backend each
further model costs a process and a copy of the pixels. Encoders are named by their own digest, so
variants over the same encoder share its processes and its batches. A head over tokens and patches
asks its encoders for sequences beside the pooled features: these are models of their own. Of a dual
tower the head is a projection, and EMBEDDING stands for LOGITS.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from exporters.repository.encoder_serving import EncoderServing
from exporters.repository.ensembles import answer_of, assemble, features_width
from exporters.repository.model_config import EnsembleStep, StepModel, TensorSpec
from exporters.repository.python_step import python_step
from gateway.contract import tensors
from gateway.contract.tensors import IMAGE_FEATURES, TEXT_FEATURES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.recipe_sections import TargetRecipe
    from exporters.repository.model_folder import ModelFolder
    from gateway.contract.drift.reference import DriftReference
    from gateway.contract.manifest import EnsembleManifest, ModalitySet

_GRAPH: Final = "model.onnx"
_TOKENIZER: Final = "tokenizer.json"
_FEATURES: Final = "FEATURES"
_SEQUENCE: Final = "SEQUENCE"
_TRACE: Final = "TRACE"
_VARIES: Final = -1

# Rows that go through the graph together. On a CPU an image gains nothing from company; texts gain
# from others of the same length, which a larger batch of Triton's offers.
_IMAGE_GROUP: Final = 1
_TEXT_GROUP: Final = 4
_HEAD: Final = EncoderServing(batch=16, delay_us=0, instances=1, threads=1)


@dataclass(frozen=True)
class Encoders:
    """The two encoder models of a variant."""

    text: ModelFolder
    image: ModelFolder


def text_encoder_folder(
    encoder: TextEncoder, graph: Path, target: TargetRecipe, *, has_sequence: bool = False
) -> ModelFolder:
    """The model that tokenises and encodes texts; `has_sequence`: the graph gives tokens too."""
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
        outputs=_encoder_outputs(encoder.dim, (-1, encoder.token_dim) if has_sequence else None),
        serving=EncoderServing.of_texts(target),
    )


def image_encoder_folder(
    encoder: ImageEncoder, graph: Path, target: TargetRecipe, *, has_sequence: bool = False
) -> ModelFolder:
    """The model that decodes, resizes and encodes images; `has_sequence`: the graph gives cells."""
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
        outputs=_encoder_outputs(
            encoder.dim, (encoder.cells, encoder.cell_dim) if has_sequence else None
        ),
        serving=EncoderServing.of_images(target),
    )


def head_folder(
    variant: str,
    modalities: ModalitySet,
    features: Mapping[str, tuple[int, ...]],
    answer: TensorSpec,
    graph: Path,
) -> ModelFolder:
    """The model that turns the features of one modality set into what the ensemble answers.

    Args:
        variant: name of the variant.
        modalities: what the head takes.
        features: `text_features`, `image_features` or `text_sequence`, `image_sequence`, those that
            it takes, to their shapes without the batch axis.
        answer: the graph's output, its name in upper case; see `ensembles.answer_of`.
        graph: the ONNX file.
    """
    return python_step(
        prefix=f"{variant}-head-{modalities}",
        files={_GRAPH: graph},
        settings={"step": "fusion_head", "graph": _GRAPH},
        # The step pads sequences itself, so texts of different lengths share its batches.
        inputs=tuple(
            replace(TensorSpec.features(name.upper(), shape), is_ragged=_VARIES in shape)
            for name, shape in features.items()
        ),
        outputs=(answer,),
        serving=_HEAD,
    )


def ensemble_folder(
    encoders: Encoders,
    head: ModelFolder,
    manifest: EnsembleManifest,
    drift_reference: DriftReference | None = None,
) -> ModelFolder:
    """The ensemble of one modality set."""
    assert isinstance(head.model, StepModel)  # noqa: S101  # `head_folder` made it
    taken = [spec.name for spec in head.model.inputs]
    answer = answer_of(manifest).name
    return assemble(
        manifest,
        image=[_encode(encoders.image, tensors.IMAGE, taken)],
        text=[_encode(encoders.text, tensors.TEXT, taken)],
        head=EnsembleStep(head.model.name, {name: name for name in taken}, {answer: answer}),
        # No step may take fewer rows than the ensemble.
        max_batch_size=min(
            folder.model.max_batch_size for folder in (encoders.image, encoders.text, head)
        ),
        feature_dims={
            IMAGE_FEATURES: features_width(encoders.image),
            TEXT_FEATURES: features_width(encoders.text),
        },
        drift_reference=drift_reference,
    )


def _encode(encoder: ModelFolder, source: str, taken: Collection[str]) -> EnsembleStep:
    """An encoder's call; Triton refuses an ensemble with a sequence that nothing takes."""
    outputs = {_FEATURES: f"{source}_FEATURES", _TRACE: f"{source}_TRACE"}
    if (sequence := f"{source}_SEQUENCE") in taken:
        outputs[_SEQUENCE] = sequence
    return EnsembleStep(encoder.model.name, {source: source}, outputs)


def _encoder_outputs(dim: int, sequence: tuple[int, int] | None) -> tuple[TensorSpec, ...]:
    given = [TensorSpec.floats(_FEATURES, dim)]
    if sequence is not None:
        given.append(TensorSpec.features(_SEQUENCE, sequence))
    return (*given, TensorSpec.floats(_TRACE, len(tensors.TRACE_FIELDS)))
