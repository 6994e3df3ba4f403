from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from exporters.repository.model_config import NativeModel, TensorSpec, WarmupSample
from exporters.repository.model_folder import ModelFolder, digest_on_disk, identified
from exporters.repository.publish import write_model

if TYPE_CHECKING:
    from pathlib import Path

_TOKENS = TensorSpec("tokens", "TYPE_INT64", (4,))
_MODEL = NativeModel(
    name="",
    inputs=(_TOKENS,),
    outputs=(TensorSpec.floats("features", 8),),
    max_batch_size=4,
    instances=1,
    kind="KIND_CPU",
    parameters={"intra_op_thread_count": "1"},
    warmup=(WarmupSample("four", (_TOKENS,), {"tokens": "tokens-4"}),),
)


def folder_of(tmp_path: Path, model: NativeModel = _MODEL, content: str = "graph") -> ModelFolder:
    graph = tmp_path / "graph"
    graph.write_text(content, encoding="utf-8")
    return identified("encoder", model, {"model.onnx": graph}, {"tokens-4": bytes(32)})


def digest_in(repository: Path, folder: ModelFolder) -> str:
    path = repository / folder.model.name
    text = (path / "config.pbtxt").read_text(encoding="utf-8")
    return digest_on_disk(path, text_format.Parse(text, model_config_pb2.ModelConfig()))


def test_identified_model_on_disk_has_the_digest_of_its_name(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    write_model(folder, tmp_path / "repository")

    digest = digest_in(tmp_path / "repository", folder)

    assert folder.model.name == f"encoder-{digest[:12]}"


def test_digest_on_disk_forgets_what_python_compiled(tmp_path: Path) -> None:
    repository, folder = tmp_path / "repository", folder_of(tmp_path)
    write_model(folder, repository)
    before = digest_in(repository, folder)
    compiled = repository / folder.model.name / "1" / "package" / "__pycache__"
    compiled.mkdir(parents=True)
    (compiled / "module.pyc").write_bytes(b"compiled")

    assert digest_in(repository, folder) == before


def test_identified_anything_else_is_another_name(tmp_path: Path) -> None:
    names = [
        folder_of(tmp_path).model.name,
        folder_of(tmp_path, content="another graph").model.name,
        folder_of(tmp_path, replace(_MODEL, instances=2)).model.name,
        folder_of(tmp_path, replace(_MODEL, parameters={})).model.name,
    ]

    assert len(set(names)) == len(names)
    assert folder_of(tmp_path, replace(_MODEL, name="x")).model.name == names[0]


def test_write_model_puts_warm_up_files_where_triton_looks(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    write_model(folder, tmp_path / "repository")

    path = tmp_path / "repository" / folder.model.name / "warmup" / "tokens-4"

    assert path.read_bytes() == bytes(32)
