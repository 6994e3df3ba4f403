"""The models of a variant for each target, with small encoders and a stand-in for every graph."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from exporters.encoders import load_image_encoder, load_text_encoder
from exporters.recipe_sections import ImageEncoderRecipe, TargetRecipe, TextEncoderRecipe
from exporters.repository.model_config import TensorSpec
from exporters.repository.native_models import (
    NativeBranches,
    decode_folder,
    head_graph_folder,
    image_graph_folder,
    native_ensemble_folder,
    text_graph_folder,
    tokenise_folder,
)
from exporters.repository.native_target import NATIVE_TARGETS
from exporters.repository.publish import write_model
from exporters.repository.variant_models import (
    Encoders,
    ensemble_folder,
    head_folder,
    image_encoder_folder,
    text_encoder_folder,
)
from gateway.contract import tensors
from gateway.contract.manifest import EnsembleManifest, ModalitySet
from tests.gateway.manifests import LABELS, make_manifest
from tests.small_checkpoints import save_small_bert, save_small_vit

if TYPE_CHECKING:
    from exporters.encoders import ImageEncoder, TextEncoder
    from exporters.repository.model_folder import ModelFolder

TARGETS: Final = ("embedded", *NATIVE_TARGETS)

_RECIPE: Final = TargetRecipe()


def write_small_repository(target: str, repository: Path) -> Path:
    """Writes the models of one target, with passports, into an empty repository."""
    for folder in variant_folders(target):
        write_model(folder, repository)
    return repository


@cache
def variant_folders(target: str) -> tuple[ModelFolder, ...]:
    """The models of one target, steps first."""
    return _embedded() if target == "embedded" else _native(target)


def _embedded() -> tuple[ModelFolder, ...]:
    graph, text, image = _parts()
    encoders = Encoders(
        text=text_encoder_folder(text, graph, _RECIPE),
        image=image_encoder_folder(image, graph, _RECIPE),
    )
    logits = TensorSpec.floats(tensors.LOGITS, len(LABELS))
    heads = {each: head_folder("demo", each, _dims(each), logits, graph) for each in ModalitySet}
    ensembles = (ensemble_folder(encoders, heads[each], _manifest(each)) for each in ModalitySet)
    return (encoders.image, encoders.text, *heads.values(), *ensembles)


def _native(name: str) -> tuple[ModelFolder, ...]:
    target = NATIVE_TARGETS[name]
    graph, text, image = _parts()
    branches = NativeBranches(
        decode=decode_folder(image, _RECIPE, target),
        image=image_graph_folder(image, graph, _RECIPE, target),
        tokenise=tokenise_folder(text, _RECIPE, target),
        text=text_graph_folder(text, graph, _RECIPE, target),
    )
    heads = {
        each: head_graph_folder(f"demo-head-{each}", _dims(each), len(LABELS), graph, target)
        for each in ModalitySet
    }
    ensembles = (
        native_ensemble_folder(branches, heads[each], _manifest(each, target.device), target)
        for each in ModalitySet
    )
    return (*branches.folders, *heads.values(), *ensembles)


def _manifest(modalities: ModalitySet, device: str = "cpu") -> EnsembleManifest:
    return make_manifest(modalities).model_copy(update={"expected_device": device})


def _dims(modalities: ModalitySet) -> dict[str, tuple[int]]:
    present = {"text_features": modalities.has_text, "image_features": modalities.has_image}
    return {name: (32,) for name, is_present in present.items() if is_present}


@cache
def _parts() -> tuple[Path, TextEncoder, ImageEncoder]:
    # Kept until the process ends: the encoders read their tokenizer from it again.
    _FOLDERS.append(TemporaryDirectory())
    folder = Path(_FOLDERS[-1].name)
    graph = folder / "model.onnx"
    graph.write_bytes(b"stands for a graph")
    text = TextEncoderRecipe(folder=save_small_bert(folder / "bert"), max_tokens=64)
    image = ImageEncoderRecipe(folder=save_small_vit(folder / "vit"))
    return graph, load_text_encoder(text), load_image_encoder(image)


_FOLDERS: Final[list[TemporaryDirectory[str]]] = []
