from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporters.publishing.checkup import fit_to_publish
from exporters.publishing.errors import UnfitRepositoryError
from tests.exporters.doctor.faulty_repository import edit, edit_manifest
from tests.small_repository import write_small_repository

if TYPE_CHECKING:
    from pathlib import Path

    from tritonclient.grpc import model_config_pb2 as pb


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return write_small_repository("cpu", tmp_path)


def test_fit_to_publish_with_an_error_names_the_model_and_why(repository: Path) -> None:
    ensemble = edit_manifest(repository, "demo-aaaaaaaaaaaa-both", parity=None)

    with pytest.raises(UnfitRepositoryError) as caught:
        fit_to_publish(repository)

    [finding] = caught.value.findings
    assert finding.startswith(f"  {ensemble}: Its parity")
    assert finding in str(caught.value)


def test_fit_to_publish_hands_on_warnings(repository: Path) -> None:
    def without_limit(config: pb.ModelConfig) -> None:
        config.dynamic_batching.default_queue_policy.max_queue_size = 0

    name = edit(repository, "image-encoder", without_limit)

    with pytest.raises(UnfitRepositoryError):
        fit_to_publish(repository)
    warnings = fit_to_publish(repository, without={"digest-stale"})

    assert ("queue-unlimited", name) in {(each.code, each.model) for each in warnings}
