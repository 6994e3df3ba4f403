from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from exporters.data import load_table
from exporters.data.errors import BrokenRowsError, SplitError
from exporters.preprocessing.images import ImagePreprocessing
from exporters.recipe_sections import DataRecipe
from exporters.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

PREPROCESSING = ImagePreprocessing(
    height=16,
    width=16,
    shortest_edge=None,
    resample="bilinear",
    jpeg_decode="full",
    max_pixels=10_000,
)

Rows = list[tuple[str, str, str]]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def sound_rows(tmp_path: Path) -> Rows:
    rows = []
    for number in range(20):
        name = f"{number}.png"
        Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / name)
        rows.append((name, f"text {number}", ("cat", "dog")[number % 2]))
    return rows


def recipe_for(folder: Path, rows: Sequence[tuple[str, str, str]], **keys: object) -> DataRecipe:
    table = folder / "table.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "text", "label"])
        writer.writerows(rows)
    return DataRecipe.model_validate({"table": table, **keys})


def save_broken_images(folder: Path) -> None:
    (folder / "note.png").write_text("not an image", encoding="utf-8")
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "whole.png")
    (folder / "cut.png").write_bytes((folder / "whole.png").read_bytes()[:3000])
    Image.new("RGB", (200, 200)).save(folder / "large.png")


def test_sound_table_keeps_rows_in_order_and_sorts_labels(
    tmp_path: Path, workspace: Workspace, sound_rows: Rows
) -> None:
    table = load_table(recipe_for(tmp_path, sound_rows), PREPROCESSING, workspace)

    assert table.labels == ("cat", "dog")
    assert table.texts == [text for _, text, _ in sound_rows]
    assert table.label_indices.tolist() == [0, 1] * 10


def test_labels_of_the_recipe_keep_their_order(
    tmp_path: Path, workspace: Workspace, sound_rows: Rows
) -> None:
    recipe = recipe_for(tmp_path, sound_rows, labels=("dog", "cat"))

    assert load_table(recipe, PREPROCESSING, workspace).label_indices.tolist() == [1, 0] * 10


def test_broken_rows_are_left_out_and_reported_with_number_column_and_reason(
    tmp_path: Path, workspace: Workspace, sound_rows: Rows
) -> None:
    save_broken_images(tmp_path)
    broken = [
        ("absent.png", "text", "cat"),
        ("note.png", "text", "cat"),
        ("cut.png", "text", "cat"),
        ("large.png", "text", "cat"),
        ("0.png", "  ", "cat"),
        ("0.png", "text", "unicorn"),
        ("", "text", "cat"),
    ]
    recipe = recipe_for(
        tmp_path, [*broken, *sound_rows], labels=("cat", "dog"), max_broken_ratio=0.5
    )

    table = load_table(recipe, PREPROCESSING, workspace)

    [report] = (workspace.root / "checks").iterdir()
    with report.open(encoding="utf-8", newline="") as file:
        faults = [(int(row["row"]), row["column"], row["reason"]) for row in csv.DictReader(file)]
    assert len(table) == len(sound_rows)
    assert [row for row, _, _ in faults] == [1, 2, 3, 4, 5, 6, 7]
    assert [column for _, column, _ in faults] == [*["image"] * 4, "text", "label", "image"]
    reasons = [reason for _, _, reason in faults]
    assert reasons[0] == "missing file"
    assert all(reason.startswith("undecodable image") for reason in reasons[1:4])
    assert "10000" in reasons[3]
    assert reasons[4:] == ["empty", "unknown label 'unicorn'", "empty"]


def test_share_of_broken_rows_above_the_limit_stops_the_run(
    tmp_path: Path, workspace: Workspace, sound_rows: Rows
) -> None:
    rows = [*sound_rows[:18], ("absent.png", "a", "cat"), ("gone.png", "b", "dog")]

    with pytest.raises(BrokenRowsError) as caught:
        load_table(recipe_for(tmp_path, rows, max_broken_ratio=0.09), PREPROCESSING, workspace)

    error = caught.value
    assert (error.broken, error.rows, error.max_broken_ratio) == (2, 20, 0.09)
    assert "missing file" in str(error)
    assert error.report.is_file()
    assert str(error.report) in error.remedy


def test_share_of_broken_rows_at_the_limit_is_accepted(
    tmp_path: Path, workspace: Workspace, sound_rows: Rows
) -> None:
    rows = [*sound_rows[:18], ("absent.png", "a", "cat"), ("gone.png", "b", "dog")]
    recipe = recipe_for(tmp_path, rows, max_broken_ratio=0.1)

    assert len(load_table(recipe, PREPROCESSING, workspace)) == 18


def test_image_that_was_mended_is_checked_again(
    tmp_path: Path, workspace: Workspace, sound_rows: Rows
) -> None:
    recipe = recipe_for(tmp_path, sound_rows, max_broken_ratio=0.5)
    mended = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(mended[:20])
    before = load_table(recipe, PREPROCESSING, workspace)
    (tmp_path / "3.png").write_bytes(mended)
    after = load_table(recipe, PREPROCESSING, workspace)

    assert (len(before), len(after)) == (19, 20)
    assert before.digest != after.digest


def test_table_of_one_label_is_refused(
    tmp_path: Path, workspace: Workspace, sound_rows: Rows
) -> None:
    rows = [(image, text, "cat") for image, text, _ in sound_rows]

    with pytest.raises(SplitError, match="cat"):
        load_table(recipe_for(tmp_path, rows), PREPROCESSING, workspace)


def test_table_digest_is_of_content_and_not_of_paths(
    tmp_path: Path, workspace: Workspace, sound_rows: Rows
) -> None:
    table = load_table(recipe_for(tmp_path, sound_rows), PREPROCESSING, workspace)
    moved = tmp_path / "moved"
    moved.mkdir()
    for image, _, _ in sound_rows:
        Path(tmp_path / image).rename(moved / image)
    again = load_table(recipe_for(moved, sound_rows), PREPROCESSING, workspace)

    assert again.digest == table.digest
