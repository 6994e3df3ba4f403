"""What a data source is, and how one writes its table."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

TABLE_NAME: Final = "table.csv"


class SourceOptions(BaseModel):
    """Base of a source's options; an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class DataSource:
    """A registered data source.

    Attributes:
        options: what the recipe's [data.options] may hold.
        build: writes `table.csv` and its images into an empty folder, given checked options.
    """

    options: type[SourceOptions]
    build: Callable[[Any, Path], None]


class SourceRow(NamedTuple):
    """A row of a source's table, under the column names that a recipe has by default."""

    image: str
    text: str
    label: str


def write_table(
    rows: Iterable[NamedTuple], folder: Path, columns: Sequence[str] = SourceRow._fields
) -> None:
    """Writes `table.csv`; image paths are relative to `folder`."""
    with (folder / TABLE_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
