from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporters.repository.model_config import EnsembleModel, StepModel
from exporters.repository.model_folder import ModelFolder
from exporters.repository.publish import publish, staging, write_model
from tests.gateway.manifests import make_manifest

if TYPE_CHECKING:
    from pathlib import Path


def step_folder(tmp_path: Path, name: str, content: str) -> ModelFolder:
    graph = tmp_path / f"{name}.onnx"
    graph.write_text(content, encoding="utf-8")
    model = StepModel(name=name, inputs=(), outputs=(), max_batch_size=1, instances=1, settings={})
    return ModelFolder(model, {"model.onnx": graph, "package/module.py": graph})


def ensemble_folder(name: str) -> ModelFolder:
    model = EnsembleModel(
        name=name, inputs=(), outputs=(), max_batch_size=1, steps=(), manifest=make_manifest()
    )
    return ModelFolder(model, {})


def test_publish_moves_whole_models_into_the_repository(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    folders = [ensemble_folder("demo-both"), step_folder(tmp_path, "encoder", "graph")]
    with staging(repository) as staged:
        for folder in folders:
            write_model(folder, staged)
        assert sorted(path.name for path in repository.iterdir()) == [staged.name]

        publish(folders, staged, repository)

    assert sorted(path.name for path in repository.iterdir()) == ["demo-both", "encoder"]
    assert (repository / "encoder/1/package/module.py").read_text(encoding="utf-8") == "graph"
    assert (repository / "demo-both/config.pbtxt").is_file()
    assert (repository / "demo-both/1").is_dir()  # Triton asks for a version folder


def test_publish_leaves_a_model_of_the_same_name_alone(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    for content in ("first", "second"):
        folder = step_folder(tmp_path, "encoder", content)
        with staging(repository) as staged:
            write_model(folder, staged)
            publish([folder], staged, repository)

    assert (repository / "encoder/1/model.onnx").read_text(encoding="utf-8") == "first"


def test_staging_that_fails_leaves_nothing(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    missing = ModelFolder(step_folder(tmp_path, "encoder", "").model, {"x": tmp_path / "missing"})

    def stage() -> None:
        with staging(repository) as staged:
            write_model(missing, staged)

    with pytest.raises(FileNotFoundError):
        stage()
    assert list(repository.iterdir()) == []
