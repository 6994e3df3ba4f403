"""Tables of (image, text, label): built by a data source or brought by the user, checked, split."""

from exporters.data.examples import Example, ExampleTable
from exporters.data.grouping import group_examples, join_groupings
from exporters.data.loading import load_table
from exporters.data.split import Split, folds_by_group, split_by_group

__all__ = [
    "Example",
    "ExampleTable",
    "Split",
    "folds_by_group",
    "group_examples",
    "join_groupings",
    "load_table",
    "split_by_group",
]
