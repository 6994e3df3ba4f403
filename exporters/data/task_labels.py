"""From the cells of a table to the labels of each task.

A cell holds one label, or several with a separator between them; a list of JSONL or Parquet is a
list. What is empty was not labelled, unless the recipe says that no label applies.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from exporters.data.errors import SplitError
from exporters.data.reading import LIST_SEPARATOR
from exporters.errors import InvalidRecipeError
from exporters.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.data.reading import Row
    from exporters.recipe_sections import TaskRecipe

Labels = tuple[str, ...] | None
"""The labels of one example in one task; None where nobody labelled it."""


def read_labels(row: Row, task: TaskRecipe) -> Labels:
    """Returns the labels of a row, sorted, each once."""
    cell = row[task.table_column].strip(" \t\r\n")  # not the list separator, which is white space
    if task.kind == "one":
        label = cell.strip()
        return (label,) if label else None
    if not cell:
        return () if task.empty == "none" else None
    names = cell.replace(LIST_SEPARATOR, task.separator).split(task.separator)
    return tuple(sorted({name.strip() for name in names} - {""}))


def label_fault(row: Row, tasks: Sequence[TaskRecipe]) -> tuple[str, str] | None:
    """Returns the column and the reason when a row's labels cannot be used."""
    answers = [read_labels(row, task) for task in tasks]
    if tasks and all(answer is None for answer in answers):
        return tasks[0].table_column, "empty" if len(tasks) == 1 else "empty, as in all tasks"
    for task, answer in zip(tasks, answers, strict=True):
        unknown = set(answer or ()) - set(task.labels or answer or ())
        if unknown:
            return task.table_column, f"unknown label '{min(unknown)}'"
    return None


def settle_tasks(
    tasks: Sequence[TaskRecipe], answers: Sequence[tuple[Labels, ...]]
) -> tuple[tuple[Task, ...], list[tuple[Labels, ...]]]:
    """Fixes each task's labels, and leaves the rare ones out of the examples' answers.

    Args:
        tasks: what the recipe asks.
        answers: for each example, its labels in each task.

    Returns:
        The tasks, and the answers with the labels that are left.

    Raises:
        SplitError: too few labels are left in a task.
        InvalidRecipeError: a threshold is set for a label that the task does not have.
    """
    settled, columns = [], []
    for number, task in enumerate(tasks):
        column = [each[number] for each in answers]
        counts = Counter(label for labels in column for label in labels or ())
        kept = task.labels or tuple(
            sorted(label for label, count in counts.items() if count >= task.min_examples)
        )
        _require_usable(task, kept, column)
        settled.append(Task(task.name, kept, is_multi_label=task.kind == "several"))
        columns.append([_without_rare(labels, kept, task) for labels in column])
    return tuple(settled), list(zip(*columns, strict=True))


def _without_rare(labels: Labels, kept: tuple[str, ...], task: TaskRecipe) -> Labels:
    if labels is None:
        return None
    left = tuple(label for label in labels if label in kept)
    # Of several labels the rest is still known; of one nothing is.
    return left if left or task.kind == "several" else None


def _require_usable(task: TaskRecipe, kept: tuple[str, ...], column: Sequence[Labels]) -> None:
    if task.kind == "one" and len(kept) < 2:
        raise SplitError(
            f"all examples have the same label, '{''.join(kept)}'"
            if task.min_examples == 1
            else f"task '{task.name}' has {len(kept)} labels with {task.min_examples} examples"
        )
    if not kept:
        raise SplitError(
            f"task '{task.name}' has no label with {task.min_examples} examples, "
            f"of {sum(labels is not None for labels in column)} that are labelled"
        )
    if isinstance(task.thresholds, dict):
        unknown = sorted(set(task.thresholds) - set(kept))
        if unknown:
            raise InvalidRecipeError(
                task.name, "tasks.thresholds", f"there is no label '{unknown[0]}'"
            )
