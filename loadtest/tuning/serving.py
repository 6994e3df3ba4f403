"""A published variant, served otherwise: a repository of links whose configurations are its own.

The bundled Triton gets a repository for each candidate and is started anew on it. A model that is
reloaded takes its ensembles down, and a start takes two seconds.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from exporters.repository.encoder_serving import EncoderServing
from exporters.repository.model_config import SETTINGS_PARAMETER
from exporters.repository.model_folder import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporters.recipe_sections import TargetRecipe
    from loadtest.bench.subject import Subject

_IMAGE: Final = "image_encoder"
_TEXT: Final = "text_encoder"


@contextmanager
def candidate_repository(subject: Subject, candidate: TargetRecipe) -> Iterator[Subject]:
    """Yields the subject as it would be served; its repository is gone afterwards.

    Args:
        subject: what is published. It is left as it is.
        candidate: how its encoders are to be served.
    """
    serving = {
        _IMAGE: EncoderServing.of_images(candidate),
        _TEXT: EncoderServing.of_texts(candidate),
    }
    with TemporaryDirectory(prefix="diptych-tune-") as name:
        folder = Path(name)
        ensembles = [_read(subject.repository / model) for model in subject.variant.models]
        rows: dict[str, int] = {}
        for model in {step.model_name for each in ensembles for step in _steps(each)}:
            config = _read(subject.repository / model)
            settings = json.loads(config.parameters[SETTINGS_PARAMETER].string_value)
            if settings["step"] in serving:
                config = serving[settings["step"]].applied_to(config)
            rows[model] = config.max_batch_size
            _write(config, subject.repository, folder)
        for config in ensembles:
            config.max_batch_size = min(rows[step.model_name] for step in _steps(config))
            _write(config, subject.repository, folder)
        yield replace(subject, repository=folder)


def _steps(
    config: model_config_pb2.ModelConfig,
) -> list[model_config_pb2.ModelEnsembling.Step]:
    return list(config.ensemble_scheduling.step)


def _read(model: Path) -> model_config_pb2.ModelConfig:
    text = (model / CONFIG).read_text(encoding="utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def _write(config: model_config_pb2.ModelConfig, source: Path, repository: Path) -> None:
    """Writes a model: its configuration anew, and links to all else."""
    model = repository / config.name
    model.mkdir()
    for path in (source / config.name).iterdir():
        if path.name != CONFIG:
            (model / path.name).symlink_to(path.resolve())
    text = text_format.MessageToString(config, as_utf8=True)
    (model / CONFIG).write_text(text, encoding="utf-8")
