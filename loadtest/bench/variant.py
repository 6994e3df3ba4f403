"""The work of one published variant, as its models' own configuration describes it.

The same graphs, tokeniser and preprocessing settings that Triton serves are read from the model
repository, so that the in-process figure and the baseline do the same work.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from deploy.local import published
from exporters.preprocessing.images import ImagePreprocessing
from exporters.preprocessing.texts import TextTokenizer
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest, ModalitySet
from loadtest.bench.errors import UnsupportedVariantError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SETTINGS_PARAMETER: Final = "settings"  # where the exporters leave a step's settings
_STEPS: Final = ("image_encoder", "text_encoder", "fusion_head")


@dataclass(frozen=True)
class TokeniserFile:
    """A tokeniser that is not loaded yet.

    Attributes:
        path: its `tokenizer.json`.
        max_tokens: longer texts lose their end.
        pad_id: fills a batch up to its longest row.
    """

    path: Path
    max_tokens: int
    pad_id: int

    def load(self) -> TextTokenizer:
        """Reads the file."""
        return TextTokenizer(self.path, self.max_tokens, self.pad_id)


@dataclass(frozen=True)
class ServedVariant:
    """A variant and what its ensemble `both` computes.

    Attributes:
        name: of the variant.
        digest: of the variant.
        precision: that it is served in, such as `fp32`.
        labels: in the order of the head's outputs.
        models: the ensembles that Triton loads to serve it.
        ensemble: the one of them that takes image and text.
        image_graph, text_graph, head_graph: ONNX files.
        preprocessing: of photos.
        tokeniser: of sentences.
    """

    name: str
    digest: str
    precision: str
    labels: tuple[str, ...]
    models: tuple[str, ...]
    ensemble: str
    image_graph: Path
    text_graph: Path
    head_graph: Path
    preprocessing: ImagePreprocessing
    tokeniser: TokeniserFile


def read_variant(repository: Path, name: str) -> ServedVariant:
    """Reads the newest proven digest of a variant.

    Args:
        repository: the model repository.
        name: `variant` or `variant@digest`.

    Raises:
        RepositoryError: the repository does not hold it, or cannot be read.
        UnsupportedVariantError: its ensemble is made of other steps.
    """
    selection = published.select(repository, (name,))
    ((variant, digest),) = selection.digests.items()
    configs = {model: _read_config(repository, model) for model in selection.models}
    manifests = {
        model: EnsembleManifest.model_validate_json(
            config.parameters[MANIFEST_PARAMETER].string_value
        )
        for model, config in configs.items()
    }
    ensemble = next(
        model for model, each in manifests.items() if each.modalities is ModalitySet.BOTH
    )
    manifest = manifests[ensemble]
    steps = _read_steps(repository, configs[ensemble])
    missing = [step for step in _STEPS if step not in steps]
    if missing:
        raise UnsupportedVariantError(ensemble, missing)
    image, text, head = (steps[step] for step in _STEPS)
    return ServedVariant(
        name=variant,
        digest=digest,
        precision=manifest.parity.precision if manifest.parity else "unknown",
        labels=manifest.labels,
        models=selection.models,
        ensemble=ensemble,
        image_graph=image.file("graph"),
        text_graph=text.file("graph"),
        head_graph=head.file("graph"),
        preprocessing=ImagePreprocessing.from_fields(image.settings["preprocessing"]),
        tokeniser=TokeniserFile(
            text.file("tokenizer"), text.settings["max_tokens"], text.settings["pad_id"]
        ),
    )


@dataclass(frozen=True)
class _Step:
    folder: Path
    settings: Mapping[str, Any]

    def file(self, setting: str) -> Path:
        return self.folder / str(self.settings[setting])


def _read_steps(repository: Path, ensemble: model_config_pb2.ModelConfig) -> dict[str, _Step]:
    """Reads the models of an ensemble, by the name of what they do."""
    steps = {}
    for model in (step.model_name for step in ensemble.ensemble_scheduling.step):
        config = _read_config(repository, model)
        if _SETTINGS_PARAMETER not in config.parameters:
            continue
        settings = json.loads(config.parameters[_SETTINGS_PARAMETER].string_value)
        steps[settings["step"]] = _Step(_newest_version(repository / model), settings)
    return steps


def _read_config(repository: Path, model: str) -> model_config_pb2.ModelConfig:
    text = (repository / model / "config.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def _newest_version(model_folder: Path) -> Path:
    """Returns the version that Triton serves by default: the highest number."""
    versions = [path for path in model_folder.iterdir() if path.name.isdigit()]
    return max(versions, key=lambda path: int(path.name)).absolute()
