"""From rows to sound examples: each broken row is listed with its number and reason.

An image counts as sound when the variant's own preprocessing decodes it, so a row that passes here
cannot fail in training or in the parity proof.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import asdict, astuple, dataclass, fields
from typing import TYPE_CHECKING, Final

from exporters.atomic import atomic_file
from exporters.data.errors import BrokenRowsError
from exporters.data.examples import Example
from exporters.data.task_labels import label_fault, read_labels
from exporters.digests import digest_of_file, digest_of_json, digest_of_source
from exporters.preprocessing.errors import InputFaultError
from exporters.preprocessing.images import decode_image
from exporters.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exporters.data.reading import Row
    from exporters.preprocessing.images import ImagePreprocessing
    from exporters.recipe_sections import DataRecipe, TaskRecipe
    from exporters.workspace import Workspace

_CHECKED_KEYS: Final = ("image_column", "text_column")
_CHECKED_TASK_KEYS: Final = ("name", "column", "kind", "separator", "empty", "labels")


_CODE: Final = ("exporters.preprocessing", "exporters.data.task_labels", __name__)


@dataclass(frozen=True)
class Asked:
    """What a table is read for.

    Attributes:
        data: names the columns and the largest share of broken rows.
        tasks: name the columns of labels.
    """

    data: DataRecipe
    tasks: Sequence[TaskRecipe]


@dataclass(frozen=True)
class BrokenRow:
    """Why one row of a table is left out.

    Attributes:
        row: number of the row, from 1, without a header.
        column: the column that is at fault.
        reason: one phrase for the table's owner.
    """

    row: int
    column: str
    reason: str


def sound_examples(
    rows: Sequence[Row],
    table: Path,
    asked: Asked,
    preprocessing: ImagePreprocessing,
    workspace: Workspace,
) -> tuple[Example, ...]:
    """Keeps the sound rows and lists the broken ones in the workspace.

    The report doubles as the memory of the check: rows and images that have not changed are not
    decoded again.

    Args:
        rows: what the table holds.
        table: the table's file; relative image paths are relative to its folder.
        asked: names the columns, the labels where they are fixed, and the limit.
        preprocessing: how the variant decodes an image.
        workspace: where the report goes.

    Returns:
        The sound examples, in table order.

    Raises:
        BrokenRowsError: more rows are broken than the recipe allows.
    """
    recipe, tasks = asked.data, asked.tasks
    images = [table.parent / row[recipe.image_column] for row in rows]
    image_digests = [digest_of_file(image) if image.is_file() else "" for image in images]
    check = {
        "rows": list(rows),
        "images": image_digests,
        "recipe": recipe.model_dump(mode="json", include=set(_CHECKED_KEYS)),
        "tasks": [task.model_dump(mode="json", include=set(_CHECKED_TASK_KEYS)) for task in tasks],
        "preprocessing": asdict(preprocessing),
        "code": digest_of_source(_CODE),
    }
    report = workspace.broken_rows_file(table.stem, digest_of_json(check))
    if not report.is_file():
        broken = _find_broken(rows, images, asked, preprocessing)
        _write_report(broken, report)
    broken = _read_report(report)
    if len(broken) > recipe.max_broken_ratio * len(rows):
        reasons = Counter(f"{row.column}: {row.reason}" for row in broken)
        [(commonest, _)] = reasons.most_common(1)
        raise BrokenRowsError(len(broken), len(rows), recipe.max_broken_ratio, commonest, report)
    broken_positions = {row.row - 1 for row in broken}
    return tuple(
        Example(
            image=images[position],
            image_digest=image_digests[position],
            text=row[recipe.text_column].strip(),
            answers=tuple(read_labels(row, task) for task in tasks),
            group=(row[recipe.group_column] or None) if recipe.group_column else None,
        )
        for position, row in enumerate(rows)
        if position not in broken_positions
    )


def _find_broken(
    rows: Sequence[Row],
    images: Sequence[Path],
    asked: Asked,
    preprocessing: ImagePreprocessing,
) -> list[BrokenRow]:
    """Returns the first fault of each broken row, in table order."""
    broken = []
    with progress("Checking examples", len(rows)) as advance:
        for number, (row, image) in enumerate(zip(rows, images, strict=True), start=1):
            fault = _value_fault(row, asked)
            if fault is None:
                reason = _image_fault(image, preprocessing)
                fault = (asked.data.image_column, reason) if reason else None
            if fault is not None:
                broken.append(BrokenRow(number, *fault))
            advance()
    return broken


def _value_fault(row: Row, asked: Asked) -> tuple[str, str] | None:
    """Returns the column and the reason when a value is missing or not allowed."""
    for column in (asked.data.text_column, asked.data.image_column):
        if not row[column].strip():
            return column, "empty"
    return label_fault(row, asked.tasks)


def _image_fault(image: Path, preprocessing: ImagePreprocessing) -> str | None:
    if not image.is_file():
        return "missing file"
    try:
        decode_image(image.read_bytes(), preprocessing)
    except InputFaultError as error:
        return f"undecodable image: {error.fault.detail}"
    except OSError as error:
        return f"unreadable file: {error.strerror}"
    return None


def _write_report(broken: Sequence[BrokenRow], report: Path) -> None:
    with atomic_file(report) as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(BrokenRow))
        writer.writerows(astuple(row) for row in broken)


def _read_report(report: Path) -> list[BrokenRow]:
    with report.open(encoding="utf-8", newline="") as file:
        return [
            BrokenRow(int(row["row"]), row["column"], row["reason"]) for row in csv.DictReader(file)
        ]
