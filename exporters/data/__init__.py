"""Tables of (image, text, label): built by a data source or brought by the user, checked, split."""

from exporters.data.examples import Example, ExampleTable
from exporters.data.grouping import group_examples
from exporters.data.loading import load_table
from exporters.data.split import Split, split_by_group

__all__ = [
    "Example",
    "ExampleTable",
    "Split",
    "group_examples",
    "load_table",
    "split_by_group",
]
