"""From a recipe's [data] section to a table of sound examples."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporters.data.examples import ExampleTable
from exporters.data.reading import read_rows
from exporters.data.sources import build_source
from exporters.data.task_labels import settle_tasks
from exporters.data.validation import Asked, sound_examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.preprocessing.images import ImagePreprocessing
    from exporters.recipe_sections import DataRecipe, TaskRecipe
    from exporters.workspace import Workspace


def load_table(
    recipe: DataRecipe,
    preprocessing: ImagePreprocessing,
    workspace: Workspace,
    tasks: Sequence[TaskRecipe] = (),
) -> ExampleTable:
    """Builds or finds the table, checks every row and keeps the sound ones.

    Args:
        recipe: where the examples come from.
        preprocessing: how the variant decodes an image.
        workspace: where a data source builds its table, and where broken rows are listed.
        tasks: what is asked; none stands for the one task of `recipe.label_column`.

    Raises:
        UnknownNameError: the data source is not registered.
        TableError: the table cannot be read.
        BrokenRowsError: more rows are broken than the recipe allows.
        SplitError: a task is left with too few labels.
        InvalidRecipeError: a threshold is set for a label that its task does not have.
    """
    table = recipe.table or build_source(str(recipe.source), recipe.options, workspace)
    tasks = tasks or (recipe.only_task,)
    columns = [recipe.image_column, recipe.text_column, *(task.table_column for task in tasks)]
    if recipe.group_column is not None:
        columns.append(recipe.group_column)
    rows = read_rows(table, columns)
    examples = sound_examples(rows, table, Asked(recipe, tasks), preprocessing, workspace)
    settled, answers = settle_tasks(tasks, [example.answers for example in examples])
    labelled = (
        replace(example, answers=answer)
        for example, answer in zip(examples, answers, strict=True)
        if any(labels is not None for labels in answer)
    )
    return ExampleTable(tuple(labelled), settled)
