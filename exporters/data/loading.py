"""From a recipe's [data] section to a table of sound examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.data.examples import ExampleTable
from exporters.data.reading import read_rows
from exporters.data.sources import build_source
from exporters.data.validation import sound_examples
from exporters.errors import SplitError

if TYPE_CHECKING:
    from exporters.preprocessing.images import ImagePreprocessing
    from exporters.recipe import DataRecipe
    from exporters.workspace import Workspace


def load_table(
    recipe: DataRecipe, preprocessing: ImagePreprocessing, workspace: Workspace
) -> ExampleTable:
    """Builds or finds the table, checks every row and keeps the sound ones.

    Args:
        recipe: where the examples come from.
        preprocessing: how the variant decodes an image.
        workspace: where a data source builds its table, and where broken rows are listed.

    Raises:
        UnknownNameError: the data source is not registered.
        TableError: the table cannot be read.
        BrokenRowsError: more rows are broken than the recipe allows.
        SplitError: fewer than two labels are left.
    """
    table = recipe.table or build_source(str(recipe.source), recipe.options, workspace)
    columns = [recipe.image_column, recipe.text_column, recipe.label_column]
    if recipe.group_column is not None:
        columns.append(recipe.group_column)
    rows = read_rows(table, columns)
    examples = sound_examples(rows, table, recipe, preprocessing, workspace)
    labels = recipe.labels or tuple(sorted({example.label for example in examples}))
    if len(labels) < 2:
        raise SplitError(f"all examples have the same label, '{''.join(labels)}'")
    return ExampleTable(examples, labels)
