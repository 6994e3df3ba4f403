from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from deploy.local import published
from deploy.local.errors import RepositoryError
from tests.deploy.local.toy_repository import publish

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "a" * 64, "b" * 64
LATER = datetime(2026, 6, 1, tzinfo=UTC)


def test_select_takes_the_newest_digest_of_each_variant(tmp_path: Path) -> None:
    publish(tmp_path, "toy", OLD)
    publish(tmp_path, "toy", NEW, LATER)
    publish(tmp_path, "other", OLD)

    selection = published.select(tmp_path)

    assert selection.digests == {"toy": NEW, "other": OLD}
    assert selection.models == tuple(
        f"{variant}-{modalities}-{digest[:12]}"
        for variant, digest in (("other", OLD), ("toy", NEW))
        for modalities in ("both", "image", "text")
    )
    assert selection.model_processes == 6


def test_select_wanted_digest_is_taken_though_it_is_older(tmp_path: Path) -> None:
    publish(tmp_path, "toy", OLD)
    publish(tmp_path, "toy", NEW, LATER)

    assert published.select(tmp_path, ["toy@aaaa"]).digests == {"toy": OLD}


def test_select_unknown_variant_names_those_there_are(tmp_path: Path) -> None:
    publish(tmp_path, "toy", OLD)

    with pytest.raises(RepositoryError, match=r"no variant tox in it, only toy@aaaaaaaaaaaa"):
        published.select(tmp_path, ["tox"])


def test_select_failed_proof_is_not_served(tmp_path: Path) -> None:
    publish(tmp_path, "toy", OLD)
    publish(tmp_path, "toy", NEW, LATER, has_passed=False)

    assert published.select(tmp_path).digests == {"toy": OLD}


def test_select_only_failed_proofs_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, "toy", NEW, has_passed=False)

    with pytest.raises(RepositoryError, match="no variant in it has passed its parity proof"):
        published.select(tmp_path)


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_select_nothing_published_names_the_remedy(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(RepositoryError, match="no published variant; `make export` fills it"):
        published.select(tmp_path / folder)


def test_select_unfinished_export_is_not_looked_at(tmp_path: Path) -> None:
    publish(tmp_path, "toy", OLD)
    (tmp_path / ".half-written").mkdir()
    (tmp_path / ".half-written" / "config.pbtxt").write_text("name: ")

    assert published.select(tmp_path).digests == {"toy": OLD}


def test_select_unreadable_configuration_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.pbtxt").write_text("name: ")

    with pytest.raises(RepositoryError, match=r"broken/config\.pbtxt cannot be read"):
        published.select(tmp_path)
