from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from exporters.data import load_table
from exporters.data.errors import SplitError
from exporters.errors import InvalidRecipeError
from exporters.preprocessing.images import ImagePreprocessing
from exporters.recipe_sections import DataRecipe, TaskRecipe
from exporters.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.data import ExampleTable

KINDS = ["cat", "dog", None, "cat", "newt", "dog", "cat", "dog"]
TAGS = [["tame"], ["tame", "loud"], ["wild"], [], None, ["loud"], ["tame"], ["rare"]]

KIND = TaskRecipe(name="kind")
TAG = TaskRecipe(name="tags", kind="several")


def load(folder: Path, tasks: tuple[TaskRecipe, ...], *, is_csv: bool) -> ExampleTable:
    Image.new("RGB", (20, 20)).save(folder / "a.png")
    rows = [
        {"image": "a.png", "text": f"text {number}", "kind": kind, "tags": tags}
        for number, (kind, tags) in enumerate(zip(KINDS, TAGS, strict=True))
    ]
    if is_csv:
        lines = [
            f"{row['image']},{row['text']},{row['kind'] or ''},{';'.join(row['tags'] or [])}"
            for row in rows
        ]
        file = folder / "table.csv"
        file.write_text("\n".join(["image,text,kind,tags", *lines]), encoding="utf-8")
    else:
        file = folder / "table.jsonl"
        file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    preprocessing = ImagePreprocessing(16, 16, None, "bilinear", "full", 10_000)
    recipe = DataRecipe(table=file, max_broken_ratio=0.5)
    return load_table(recipe, preprocessing, Workspace(folder / "workspace"), tasks)


def test_lists_of_a_jsonl_table_tell_no_label_from_not_labelled(tmp_path: Path) -> None:
    table = load(tmp_path, (KIND, TAG), is_csv=False)

    assert [task.labels for task in table.tasks] == [
        ("cat", "dog", "newt"),
        ("loud", "rare", "tame", "wild"),
    ]
    assert [example.answers[1] for example in table.examples] == [
        *(("tame",), ("loud", "tame"), ("wild",), (), None, ("loud",), ("tame",), ("rare",)),
    ]
    assert table.is_labelled[:, 0].tolist() == [True, True, False, *[True] * 5]
    assert table.truth(0).tolist() == [0, 1, -1, 0, 2, 1, 0, 1]
    assert table.has_label[1].tolist() == [False, True, False, True, False, True, False]


@pytest.mark.parametrize(("empty", "expected"), [("unlabelled", None), ("none", ())])
def test_empty_cell_of_a_csv_table_says_what_the_recipe_says(
    tmp_path: Path, empty: str, expected: tuple[str, ...] | None
) -> None:
    tag = TaskRecipe.model_validate({"name": "tags", "kind": "several", "empty": empty})

    table = load(tmp_path, (KIND, tag), is_csv=True)

    assert [table.examples[row].answers[1] for row in (3, 4)] == [expected, expected]
    assert table.examples[1].answers[1] == ("loud", "tame")


def test_rare_labels_are_left_out_and_what_had_no_other_is_unlabelled(tmp_path: Path) -> None:
    tasks = tuple(task.model_copy(update={"min_examples": 2}) for task in (KIND, TAG))

    table = load(tmp_path, tasks, is_csv=False)

    assert table.labels == ("cat", "dog", "loud", "tame")
    # The newt had no tags either: there is nothing left to learn from it.
    assert len(table) == 7
    assert table.examples[2].answers == (None, ())
    assert table.examples[6].answers == (("dog",), ())


def test_row_without_a_label_in_any_task_is_broken(tmp_path: Path) -> None:
    table = load(tmp_path, (KIND,), is_csv=False)

    assert len(table) == 7


def test_task_with_too_few_labels_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match=r"'kind' has 0 labels"):
        load(tmp_path, (KIND.model_copy(update={"min_examples": 4, "labels": None}),), is_csv=False)


def test_threshold_of_an_unknown_label_is_refused(tmp_path: Path) -> None:
    tag = TAG.model_copy(update={"thresholds": {"tame": 0.3, "furry": 0.4}})

    with pytest.raises(InvalidRecipeError, match="furry"):
        load(tmp_path, (KIND, tag), is_csv=False)
