"""A model with its files, and the name that tells both: `<prefix>-<digest>`.

The digest covers the configuration (all of it but the name) and the content of every file. Whoever
has the folder can compute it again, which is how `exporters doctor` finds a model that was changed
after it was proved.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from google.protobuf import json_format

from exporters.digests import digest_of_file, digest_of_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tritonclient.grpc import model_config_pb2

    from exporters.repository.model_config import EnsembleModel, NativeModel, StepModel

DIGEST_CHARS: Final = 12
VERSION: Final = "1"
CONFIG: Final = "config.pbtxt"
WARMUP: Final = "warmup"
"""Where Triton looks for the files that a `model_warmup` names, inside a model's folder."""

# Triton's python backend compiles what it imports, beside it.
_COMPILED: Final = "__pycache__"


@dataclass(frozen=True)
class ModelFolder:
    """A model and its files.

    Attributes:
        model: what its `config.pbtxt` says.
        files: source of each file of the version folder, by relative path.
        warmup: content of each file of the warm-up folder, by name.
    """

    model: StepModel | NativeModel | EnsembleModel
    files: Mapping[str, Path]
    warmup: Mapping[str, bytes] = field(default_factory=dict)


def identified(
    prefix: str,
    model: StepModel | NativeModel,
    files: Mapping[str, Path],
    warmup: Mapping[str, bytes] | None = None,
) -> ModelFolder:
    """Names a model by everything it does; the name that `model` came with is dropped."""
    warmup = warmup or {}
    digests = {f"{VERSION}/{name}": digest_of_file(path) for name, path in files.items()}
    for name, content in warmup.items():
        digests[f"{WARMUP}/{name}"] = hashlib.sha256(content).hexdigest()
    digest = model_digest(model.to_protobuf(), digests)
    return ModelFolder(replace(model, name=f"{prefix}-{digest[:DIGEST_CHARS]}"), files, warmup)


def model_digest(config: model_config_pb2.ModelConfig, files: Mapping[str, str]) -> str:
    """Returns the SHA-256 (64 hex digits) of a configuration and the digests of its files.

    Args:
        config: the model's configuration; its name does not count.
        files: digest of each file, by path relative to the model's folder.
    """
    content = json_format.MessageToDict(config, preserving_proto_field_name=True)
    content.pop("name", None)
    return digest_of_json({"config": content, "files": dict(files)})


def digest_on_disk(folder: Path, config: model_config_pb2.ModelConfig) -> str:
    """Returns the digest of a model as it lies in a repository."""
    return model_digest(
        config,
        {path.relative_to(folder).as_posix(): digest_of_file(path) for path in _files_of(folder)},
    )


def _files_of(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and parts != (CONFIG,) and _COMPILED not in parts:
            yield path
