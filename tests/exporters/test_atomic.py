from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporters.atomic import atomic_file, atomic_folder

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


def write_half(atomic: AbstractContextManager[Path]) -> None:
    with atomic as path:
        (path / "half" if path.is_dir() else path).write_text("half", encoding="utf-8")
        raise KeyboardInterrupt


def test_atomic_file_replaces_its_target_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "figures.json"
    for text in ("old", "new"):
        with atomic_file(target) as path:
            path.write_text(text, encoding="utf-8")

    assert target.read_text(encoding="utf-8") == "new"
    assert list(target.parent.iterdir()) == [target]


def test_atomic_file_interrupted_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    target.write_text("old", encoding="utf-8")

    with pytest.raises(KeyboardInterrupt):
        write_half(atomic_file(target))

    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_atomic_folder_replaces_a_folder_that_exists(tmp_path: Path) -> None:
    target = tmp_path / "run"
    for name in ("old", "new"):
        with atomic_folder(target) as folder:
            (folder / name).touch()

    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_atomic_folder_interrupted_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_half(atomic_folder(tmp_path / "run"))

    assert list(tmp_path.iterdir()) == []
