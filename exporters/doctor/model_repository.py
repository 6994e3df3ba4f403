"""A model repository as it lies on disk: configurations through Triton's own protobuf."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf import text_format
from pydantic import ValidationError
from tritonclient.grpc import model_config_pb2

from exporters.errors import EmptyRepositoryError, UnknownNameError
from exporters.repository.model_config import SETTINGS_PARAMETER
from exporters.repository.model_folder import CONFIG
from gateway.contract.manifest import MANIFEST_PARAMETER, EnsembleManifest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

Value = TypeVar("Value")


@dataclass(frozen=True)
class RepositoryModel:
    """One model folder with a readable configuration."""

    folder: Path
    config: model_config_pb2.ModelConfig

    @property
    def name(self) -> str:
        """The model's name, which Triton takes from the folder."""
        return self.folder.name

    @property
    def is_ensemble(self) -> bool:
        """Whether it computes nothing itself."""
        has_steps = self.config.HasField("ensemble_scheduling")
        return bool(has_steps or self.config.platform == "ensemble")

    @property
    def is_python(self) -> bool:
        """Whether the python backend runs it, in a process for each instance."""
        return bool(self.config.backend == "python")

    @property
    def is_onnx(self) -> bool:
        """Whether Triton's onnxruntime backend runs it."""
        return "onnxruntime" in (self.config.backend, self.config.platform.partition("_")[0])

    @property
    def step_names(self) -> tuple[str, ...]:
        """The models that an ensemble calls."""
        return tuple(step.model_name for step in self.config.ensemble_scheduling.step)

    @property
    def instances(self) -> int:
        """How often it is loaded; a GPU instance counts once, however many GPUs there are."""
        return sum(max(1, group.count) for group in self.config.instance_group) or 1

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """What a python step of the exporters reads when it starts; empty for other models."""
        try:
            settings = json.loads(self.parameter(SETTINGS_PARAMETER))
        except ValueError:
            return {}
        return settings if isinstance(settings, dict) else {}

    @cached_property
    def manifest(self) -> EnsembleManifest | None:
        """What an ensemble says of itself; None when it says nothing that the gateway can read."""
        try:
            return EnsembleManifest.model_validate_json(self.parameter(MANIFEST_PARAMETER))
        except ValidationError:
            return None

    def parameter(self, key: str) -> str:
        """A parameter of the configuration; empty when it is not there."""
        if key not in self.config.parameters:
            return ""
        return str(self.config.parameters[key].string_value)


@dataclass(frozen=True)
class ModelRepository:
    """The models that are looked at.

    Attributes:
        models: by name.
        unreadable: why a folder has no configuration that can be read, by name.
    """

    models: Mapping[str, RepositoryModel]
    unreadable: Mapping[str, str]

    @property
    def ensembles(self) -> Iterator[RepositoryModel]:
        """The models that clients call."""
        return (model for model in self.models.values() if model.is_ensemble)

    @property
    def steps(self) -> Iterator[RepositoryModel]:
        """The models that compute."""
        return (model for model in self.models.values() if not model.is_ensemble)

    def callers(self, step: RepositoryModel) -> Iterator[RepositoryModel]:
        """The ensembles that call a step."""
        return (each for each in self.ensembles if step.name in each.step_names)


def read_repository(folder: Path, names: Sequence[str] = ()) -> ModelRepository:
    """Reads the models of a repository. Hidden folders are unfinished exports.

    Args:
        folder: the model repository.
        names: look at these models and the steps they call alone; empty: at all.

    Raises:
        EmptyRepositoryError: there is no model in it.
        UnknownNameError: it has no model of one of the names.
    """
    models, unreadable = {}, {}
    for path in sorted(folder.glob("[!.]*/")):
        try:
            text = (path / CONFIG).read_text(encoding="utf-8")
            config = text_format.Parse(text, model_config_pb2.ModelConfig())
            models[path.name] = RepositoryModel(path, config)
        except FileNotFoundError:
            unreadable[path.name] = f"it has no {CONFIG}"
        except (text_format.ParseError, UnicodeDecodeError) as error:
            unreadable[path.name] = f"its {CONFIG} cannot be read ({error})"
    if not models and not unreadable:
        raise EmptyRepositoryError(folder)
    if not names:
        return ModelRepository(models, unreadable)
    wanted = set(names)
    for name in names:
        if name in models:
            wanted.update(models[name].step_names)
        elif name not in unreadable:
            raise UnknownNameError("model", name, tuple(models))
    return ModelRepository(_only(models, wanted), _only(unreadable, wanted))


def _only(values: Mapping[str, Value], names: Collection[str]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name in names}
