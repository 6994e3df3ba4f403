from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from deploy.local.published import select
from exporters.recipe_sections import TargetRecipe
from loadtest.bench.subject import Subject
from loadtest.bench.variant import read_variant
from loadtest.tuning.serving import candidate_repository
from tests.small_repository import write_small_repository

if TYPE_CHECKING:
    from pathlib import Path

CANDIDATE = TargetRecipe(image_batch=2, image_instances=3, text_batch=8, text_delay_us=700)


def read(model: Path) -> model_config_pb2.ModelConfig:
    text = (model / "config.pbtxt").read_text(encoding="utf-8")
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def small_subject(folder: Path) -> Subject:
    repository = write_small_repository("embedded", folder)
    (name,) = select(repository).digests
    return Subject(repository, read_variant(repository, name), (), folder)


def test_candidate_is_served_from_links_with_its_own_configurations(tmp_path: Path) -> None:
    published = small_subject(tmp_path / "models")
    before = {path: path.read_bytes() for path in published.repository.rglob("*.pbtxt")}

    with candidate_repository(published, CANDIDATE) as subject:
        configs = {model.name: read(model) for model in subject.repository.iterdir()}
        image, text = (
            next(each for name, each in configs.items() if name.startswith(prefix))
            for prefix in ("image-encoder", "text-encoder")
        )
        versions = {(model / "1").resolve() for model in subject.repository.iterdir()}
        # Triton and the launcher see the same variant.
        assert select(subject.repository).digests == select(published.repository).digests

    assert (image.max_batch_size, image.instance_group[0].count) == (2, 3)
    assert text.max_batch_size == 8
    assert text.dynamic_batching.max_queue_delay_microseconds == 700
    # No step may take fewer rows than its ensemble.
    ensembles = [each for each in configs.values() if each.platform == "ensemble"]
    assert sorted(each.max_batch_size for each in ensembles) == [2, 2, 8]
    assert versions == {(model / "1").resolve() for model in published.repository.iterdir()}
    assert before == {path: path.read_bytes() for path in published.repository.rglob("*.pbtxt")}
    assert not subject.repository.exists()
