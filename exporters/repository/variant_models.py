"""Which Triton models a variant is made of, for the target `embedded`.

Five folders hold what computes (two encoders, three heads) and three ensembles tie them together:

    IMAGE ── image encoder ──┐
                             ├── head ── LOGITS        `both`
    TEXT  ── text encoder  ──┘

and the same with one encoder and its own small head where a modality is absent. Decoding runs in
the image encoder's process and tokenising in the text encoder's: with the python backend each
further model costs a process and a copy of the pixels. Encoders are named by their own digest, so
variants over the same encoder share its processes and its batches.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gateway.contract
from exporters import preprocessing
from exporters.digests import digest_of_file, digest_of_json
from exporters.repository import python_backend
from exporters.repository.model_config import (
    EnsembleModel,
    EnsembleStep,
    StepModel,
    TensorSpec,
)
from gateway.contract import tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.recipe import TargetRecipe
    from gateway.contract.manifest import EnsembleManifest, ModalitySet

DIGEST_CHARS: Final = 12

_GRAPH: Final = "model.onnx"
_TOKENIZER: Final = "tokenizer.json"
_FEATURES: Final = "FEATURES"
_TRACE: Final = "TRACE"
_TEXT_FEATURES: Final = "TEXT_FEATURES"
_IMAGE_FEATURES: Final = "IMAGE_FEATURES"

# Rows of one execution, and rows that go through the graph together. On a CPU an image gains
# nothing from company; texts gain from others of the same length, which a larger window offers.
_IMAGE_BATCH: Final = 4
_IMAGE_GROUP: Final = 1
_TEXT_BATCH: Final = 16
_TEXT_GROUP: Final = 4
_HEAD_BATCH: Final = 16
_ENSEMBLE_BATCH: Final = min(_IMAGE_BATCH, _TEXT_BATCH, _HEAD_BATCH)


@dataclass(frozen=True)
class ModelFolder:
    """A model and the files of its version folder, by relative path."""

    model: StepModel | EnsembleModel
    files: Mapping[str, Path]


@dataclass(frozen=True)
class Encoders:
    """The two encoder models of a variant."""

    text: ModelFolder
    image: ModelFolder


def text_encoder_folder(encoder: TextEncoder, graph: Path, target: TargetRecipe) -> ModelFolder:
    """The model that tokenises and encodes texts."""
    return _step_folder(
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
    return _step_folder(
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
    variant: str, modalities: ModalitySet, dims: Mapping[str, int], labels: int, graph: Path
) -> ModelFolder:
    """The model that turns the features of one modality set into logits.

    Args:
        variant: name of the variant.
        modalities: what the head takes.
        dims: `text_features` and `image_features`, those that it takes, to their widths.
        labels: number of labels.
        graph: the ONNX file.
    """
    return _step_folder(
        prefix=f"{variant}-head-{modalities}",
        files={_GRAPH: graph},
        settings={"step": "fusion_head", "graph": _GRAPH},
        inputs=tuple(TensorSpec.floats(name.upper(), dim) for name, dim in dims.items()),
        outputs=(TensorSpec.floats(tensors.LOGITS, labels),),
        batch=_HEAD_BATCH,
        instances=1,
    )


def ensemble_folder(
    encoders: Encoders, head: ModelFolder, manifest: EnsembleManifest
) -> ModelFolder:
    """The ensemble of one modality set."""
    modalities = manifest.modalities
    inputs, outputs, steps, features = [], [], [], {}
    if modalities.has_image:
        inputs.append(TensorSpec.bytes_of(tensors.IMAGE))
        outputs.append(TensorSpec.floats(tensors.IMAGE_TRACE, len(tensors.TRACE_FIELDS)))
        steps.append(_encode(encoders.image, tensors.IMAGE, _IMAGE_FEATURES, tensors.IMAGE_TRACE))
        features[_IMAGE_FEATURES] = _IMAGE_FEATURES
    if modalities.has_text:
        inputs.append(TensorSpec.bytes_of(tensors.TEXT))
        outputs.append(TensorSpec.floats(tensors.TEXT_TRACE, len(tensors.TRACE_FIELDS)))
        steps.append(_encode(encoders.text, tensors.TEXT, _TEXT_FEATURES, tensors.TEXT_TRACE))
        features[_TEXT_FEATURES] = _TEXT_FEATURES
    steps.append(EnsembleStep(head.model.name, features, {tensors.LOGITS: tensors.LOGITS}))
    outputs.append(TensorSpec.floats(tensors.LOGITS, len(manifest.labels)))
    model = EnsembleModel(
        name=f"{manifest.variant}-{manifest.digest[:DIGEST_CHARS]}-{modalities}",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        max_batch_size=_ENSEMBLE_BATCH,
        steps=tuple(steps),
        manifest=manifest,
    )
    return ModelFolder(model, files={})


def _encode(encoder: ModelFolder, source: str, features: str, trace: str) -> EnsembleStep:
    return EnsembleStep(encoder.model.name, {source: source}, {_FEATURES: features, _TRACE: trace})


def _encoder_outputs(dim: int) -> tuple[TensorSpec, ...]:
    return (
        TensorSpec.floats(_FEATURES, dim),
        TensorSpec.floats(_TRACE, len(tensors.TRACE_FIELDS)),
    )


def _step_folder(  # noqa: PLR0913  # the parts of one model, all named at the call
    *,
    prefix: str,
    files: Mapping[str, Path],
    settings: dict[str, Any],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    batch: int,
    instances: int,
) -> ModelFolder:
    """Names the model by the digest of everything it does: files, code and settings."""
    all_files = {**files, **_travelling_code()}
    settings = {**settings, "intra_op_threads": 1}
    identity = {
        "files": {name: digest_of_file(path) for name, path in all_files.items()},
        "settings": settings,
        "instances": instances,
        "batch": batch,
    }
    model = StepModel(
        name=f"{prefix}-{digest_of_json(identity)[:DIGEST_CHARS]}",
        inputs=inputs,
        outputs=outputs,
        max_batch_size=batch,
        instances=instances,
        settings=settings,
    )
    return ModelFolder(model, all_files)


def _travelling_code() -> dict[str, Path]:
    """The python files of a step, by their path in the model's version folder."""
    code: dict[str, Path] = {"model.py": _folder(python_backend) / "model.py"}
    for package in (python_backend, preprocessing):
        code.update({_importable(package, path): path for path in _folder(package).glob("*.py")})
    for name in ("__init__.py", "input_fault.py", "tensors.py"):
        path = _folder(gateway.contract) / name
        code[_importable(gateway.contract, path)] = path
    for package_path in ("exporters", "exporters/repository", "gateway"):
        code[f"{package_path}/__init__.py"] = Path(str(files(package_path.replace("/", ".")))) / (
            "__init__.py"
        )
    return code


def _folder(package: ModuleType) -> Path:
    return Path(str(files(package)))


def _importable(package: ModuleType, path: Path) -> str:
    return f"{package.__name__.replace('.', '/')}/{path.name}"
