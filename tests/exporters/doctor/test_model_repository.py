from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporters.doctor import examine, read_repository
from exporters.errors import EmptyRepositoryError, UnknownNameError
from tests.exporters.doctor.faulty_repository import ROOMY, edit_manifest
from tests.small_repository import write_small_repository

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "demo-aaaaaaaaaaaa-text"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return write_small_repository("cpu", tmp_path)


def test_read_repository_of_one_ensemble_is_it_and_its_steps(repository: Path) -> None:
    models = read_repository(repository, [TEXT]).models

    assert {name.rpartition("-")[0] for name in models} == {
        "demo-aaaaaaaaaaaa",
        "tokenise",
        "text-encoder-fp32",
        "demo-head-text",
    }


def test_read_repository_passes_over_unfinished_exports(repository: Path) -> None:
    (repository / ".staging-x").mkdir()
    (repository / "README.md").write_text("about it", encoding="utf-8")

    read = read_repository(repository)

    assert len(read.models) == 10
    assert read.unreadable == {}


def test_read_repository_unknown_model_lists_those_that_are_there(repository: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        read_repository(repository, ["nothing"])

    assert TEXT in caught.value.remedy


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_read_repository_without_a_model_is_refused(folder: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(EmptyRepositoryError):
        read_repository(tmp_path / folder)


def test_examine_tells_errors_first_and_leaves_out_what_it_is_told_to(repository: Path) -> None:
    edit_manifest(repository, TEXT, parity=None, expected_device="gpu")
    read = read_repository(repository)

    codes = [finding.code for finding in examine(read, ROOMY)]

    assert codes == ["passport-missing", "cpu-fallback-silent"]
    assert [each.code for each in examine(read, ROOMY, without={codes[0]})] == codes[1:]
