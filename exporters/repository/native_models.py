"""Which Triton models a variant is made of, for the native targets `cpu`, `gpu` and `tensorrt`.

    IMAGE ── decode   ── image encoder ──┐
                                         ├── head ── LOGITS        `both`
    TEXT  ── tokenise ── text encoder  ──┘

Decoding and tokenising are python-backend models; encoders and heads are graphs, or plans, that
Triton's own onnxruntime or TensorRT backend runs, so that they can batch on a GPU. Names and
signatures of the ensembles are those of the target `embedded`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from exporters.preprocessing.texts import token_buckets
from exporters.repository.ensembles import (
    IMAGE_SEQUENCE,
    TEXT_SEQUENCE,
    assemble,
    features_width,
)
from exporters.repository.model_config import EnsembleStep, NativeModel, TensorSpec, WarmupSample
from exporters.repository.model_folder import ModelFolder, identified
from exporters.repository.python_step import python_step
from gateway.contract import tensors
from gateway.contract.tensors import IMAGE_FEATURES, TEXT_FEATURES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.preprocessing.texts import TextTokenizer
    from exporters.recipe_sections import TargetRecipe
    from exporters.repository.encoder_serving import EncoderServing
    from exporters.repository.native_target import NativeTarget
    from gateway.contract.drift.reference import DriftReference
    from gateway.contract.manifest import EnsembleManifest

_TOKENIZER: Final = "tokenizer.json"

# Tensors of the python steps, and of the graphs, which `exporters.conversion.graphs` names.
_PIXELS, _INPUT_IDS, _ATTENTION_MASK, _TRACE = "PIXELS", "INPUT_IDS", "ATTENTION_MASK", "TRACE"
_FEATURES: Final = "features"
_SEQUENCE: Final = "sequence"
_LOGITS: Final = "logits"
_VARIES: Final = -1

_WARMUP_TEXT: Final = "a sentence that is said again until it fills the longest bucket "


@dataclass(frozen=True)
class NativeBranches:
    """The four models that lead to features."""

    decode: ModelFolder
    image: ModelFolder
    tokenise: ModelFolder
    text: ModelFolder

    @property
    def folders(self) -> tuple[ModelFolder, ...]:
        """All four, in the order of the flow."""
        return (self.decode, self.image, self.tokenise, self.text)


def decode_folder(encoder: ImageEncoder, recipe: TargetRecipe, target: NativeTarget) -> ModelFolder:
    """The model that decodes and resizes images."""
    return python_step(
        prefix="decode",
        files={},
        settings={"step": "decode", "preprocessing": asdict(encoder.preprocessing)},
        inputs=(TensorSpec.bytes_of(tensors.IMAGE),),
        outputs=(TensorSpec(_PIXELS, "TYPE_UINT8", _pixel_shape(encoder)), _trace()),
        serving=_python_part(target.images_served(recipe), recipe.image_instances),
    )


def tokenise_folder(
    encoder: TextEncoder, recipe: TargetRecipe, target: NativeTarget
) -> ModelFolder:
    """The model that tokenises texts and pads them to bucket lengths."""
    tokenizer = encoder.tokenizer
    return python_step(
        prefix="tokenise",
        files={_TOKENIZER: tokenizer.path},
        settings={
            "step": "tokenise",
            "tokenizer": _TOKENIZER,
            "max_tokens": tokenizer.max_tokens,
            "pad_id": tokenizer.pad_id,
            "token_buckets": bucket_lengths(tokenizer),
        },
        inputs=(TensorSpec.bytes_of(tensors.TEXT),),
        outputs=(
            TensorSpec(_INPUT_IDS, "TYPE_INT64", (-1,)),
            TensorSpec(_ATTENTION_MASK, "TYPE_INT64", (-1,)),
            _trace(),
        ),
        serving=_python_part(target.texts_served(recipe), recipe.text_instances),
    )


def image_graph_folder(
    encoder: ImageEncoder,
    graph: Path,
    recipe: TargetRecipe,
    target: NativeTarget,
    *,
    has_sequence: bool = False,
) -> ModelFolder:
    """The image encoder's graph, warmed up with noise: what it costs is the same for any image."""
    pixels = TensorSpec("pixels", "TYPE_UINT8", _pixel_shape(encoder))
    serving = target.images_served(recipe)
    model = NativeModel(
        name="image-encoder",
        inputs=(pixels,),
        outputs=_outputs(encoder.dim, (encoder.cells, encoder.cell_dim) if has_sequence else None),
        max_batch_size=serving.batch,
        instances=serving.instances,
        kind=target.kind,
        parameters=target.parameters(serving.threads),
        delay_us=serving.delay_us,
        warmup=(WarmupSample("image", (pixels,)),),
        backend=target.backend,
        profiles=1 if target.backend == "tensorrt" else 0,
    )
    return identified(f"image-encoder-{target.precision}", model, {model.file: graph})


def text_graph_folder(
    encoder: TextEncoder,
    graph: Path,
    recipe: TargetRecipe,
    target: NativeTarget,
    *,
    has_sequence: bool = False,
) -> ModelFolder:
    """The text encoder's graph, warmed up with a real sample of each bucket length."""
    serving = target.texts_served(recipe)
    samples, files = _text_warmup(encoder)
    model = NativeModel(
        name="text-encoder",
        inputs=_token_tensors(-1),
        outputs=_outputs(encoder.dim, (-1, encoder.token_dim) if has_sequence else None),
        max_batch_size=serving.batch,
        instances=serving.instances,
        kind=target.kind,
        parameters=target.parameters(serving.threads),
        delay_us=serving.delay_us,
        warmup=samples,
        backend=target.backend,
        profiles=len(samples) if target.backend == "tensorrt" else 0,
    )
    return identified(f"text-encoder-{target.precision}", model, {model.file: graph}, files)


def head_graph_folder(  # the parts of one model
    prefix: str,
    features: Mapping[str, tuple[int, ...]],
    labels: int,
    graph: Path,
    target: NativeTarget,
    *,
    lengths: Sequence[int] = (),
) -> ModelFolder:
    """A head's graph.

    Args:
        prefix: what its name begins with.
        features: `text_features`, `image_features` or `text_sequence`, `image_sequence`, those that
            it takes, to their shapes without the batch axis.
        labels: number of labels.
        graph: the ONNX file.
        target: where it runs.
        lengths: bucket lengths of a sequence that varies (-1); each is warmed up.
    """
    inputs = tuple(TensorSpec.features(name, shape) for name, shape in features.items())
    samples = _head_warmup(inputs, lengths)
    model = NativeModel(
        name=prefix,
        inputs=inputs,
        outputs=(TensorSpec.floats(_LOGITS, labels),),
        max_batch_size=target.head_batch,
        instances=1,
        kind=target.kind,
        parameters=target.parameters(),
        warmup=samples,
        backend=target.backend,
        profiles=len(samples) if target.backend == "tensorrt" else 0,
    )
    return identified(prefix, model, {model.file: graph})


def native_ensemble_folder(
    branches: NativeBranches,
    head: ModelFolder,
    manifest: EnsembleManifest,
    target: NativeTarget,
    drift_reference: DriftReference | None = None,
) -> ModelFolder:
    """The ensemble of one modality set."""
    assert isinstance(head.model, NativeModel)  # noqa: S101  # `head_graph_folder` made it
    taken = {spec.name.upper(): spec.name for spec in head.model.inputs}
    image = (
        _step(
            branches.decode,
            {tensors.IMAGE: tensors.IMAGE},
            {_PIXELS: _PIXELS, _TRACE: tensors.IMAGE_TRACE},
        ),
        _step(
            branches.image,
            {"pixels": _PIXELS},
            _given(IMAGE_FEATURES, IMAGE_SEQUENCE, taken),
        ),
    )
    text = (
        _step(
            branches.tokenise,
            {tensors.TEXT: tensors.TEXT},
            {
                _INPUT_IDS: _INPUT_IDS,
                _ATTENTION_MASK: _ATTENTION_MASK,
                _TRACE: tensors.TEXT_TRACE,
            },
        ),
        _step(
            branches.text,
            {"input_ids": _INPUT_IDS, "attention_mask": _ATTENTION_MASK},
            _given(TEXT_FEATURES, TEXT_SEQUENCE, taken),
        ),
    )
    return assemble(
        manifest,
        image=image,
        text=text,
        head=_step(
            head,
            {name: tensor for tensor, name in taken.items()},
            {_LOGITS: tensors.LOGITS},
        ),
        # No step may take fewer rows than the ensemble.
        max_batch_size=min(folder.model.max_batch_size for folder in (*branches.folders, head)),
        feature_dims={
            IMAGE_FEATURES: features_width(branches.image),
            TEXT_FEATURES: features_width(branches.text),
        },
        drift_reference=drift_reference,
    )


def _python_part(graph: EncoderServing, instances: int) -> EncoderServing:
    """How the step before a graph is served: what it computes is short, so it never waits."""
    return replace(graph, delay_us=0, instances=instances, threads=1)


def _step(
    folder: ModelFolder, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> EnsembleStep:
    return EnsembleStep(folder.model.name, inputs, outputs)


def _outputs(dim: int, sequence: tuple[int, int] | None) -> tuple[TensorSpec, ...]:
    features = TensorSpec.floats(_FEATURES, dim)
    return (features, TensorSpec.features(_SEQUENCE, sequence)) if sequence else (features,)


def _given(features: str, sequence: str, taken: Collection[str]) -> dict[str, str]:
    """An encoder's outputs to the ensemble's tensors; one that nothing takes is refused."""
    if sequence in taken:
        return {_FEATURES: features, _SEQUENCE: sequence}
    return {_FEATURES: features}


def _head_warmup(
    inputs: tuple[TensorSpec, ...], lengths: Sequence[int]
) -> tuple[WarmupSample, ...]:
    """One request, or one for each bucket length where a length varies."""
    if not any(_VARIES in spec.shape for spec in inputs):
        return (WarmupSample("features", inputs),)
    return tuple(
        WarmupSample(
            f"{length} tokens",
            tuple(
                replace(
                    spec, shape=tuple(length if size == _VARIES else size for size in spec.shape)
                )
                for spec in inputs
            ),
        )
        for length in lengths
    )


def _pixel_shape(encoder: ImageEncoder) -> tuple[int, int, int]:
    return (encoder.preprocessing.height, encoder.preprocessing.width, 3)


def _trace() -> TensorSpec:
    return TensorSpec.floats(_TRACE, len(tensors.TRACE_FIELDS))


def _token_tensors(tokens: int) -> tuple[TensorSpec, TensorSpec]:
    return (
        TensorSpec("input_ids", "TYPE_INT64", (tokens,)),
        TensorSpec("attention_mask", "TYPE_INT64", (tokens,)),
    )


def bucket_lengths(tokenizer: TextTokenizer) -> list[int]:
    """Bucket lengths, none below what the encoder was trained on."""
    buckets = token_buckets(tokenizer.max_tokens)
    return sorted({max(bucket, tokenizer.pad_to) for bucket in buckets})


def _text_warmup(encoder: TextEncoder) -> tuple[tuple[WarmupSample, ...], dict[str, bytes]]:
    """One request for each bucket, and the files with its token ids and mask."""
    tokenizer = encoder.tokenizer
    [long_row] = tokenizer.tokenise([_WARMUP_TEXT * tokenizer.max_tokens])
    samples, files = [], {}
    for bucket in bucket_lengths(tokenizer):
        specs = _token_tensors(bucket)
        arrays = tokenizer.pad([long_row[:bucket]], bucket)
        names = {spec.name: f"{spec.name}-{bucket}" for spec in specs}
        for spec, array in zip(specs, arrays, strict=True):
            files[names[spec.name]] = np.ascontiguousarray(array[0]).tobytes()
        samples.append(WarmupSample(f"{bucket} tokens", specs, names))
    return tuple(samples), files
