"""What can be wrong with a table of examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.errors import ExporterError

if TYPE_CHECKING:
    from pathlib import Path


class DataError(ExporterError):
    """A table of examples that cannot be used."""


@dataclass(eq=False)
class TableError(DataError):
    """The table as a whole cannot be read."""

    table: Path
    reason: str

    def __str__(self) -> str:
        return f"Table '{self.table}': {self.reason}."

    @property
    def remedy(self) -> str:
        """Names what a table has to be."""
        return (
            "Give a CSV, JSONL or Parquet file that has the columns named in the recipe's [data]."
        )


@dataclass(eq=False)
class BrokenRowsError(DataError):
    """More broken rows than `data.max_broken_ratio` allows; `report` lists each with its reason."""

    broken: int
    rows: int
    max_broken_ratio: float
    commonest: str
    report: Path

    def __str__(self) -> str:
        return (
            f"{self.broken} of {self.rows} rows ({self.broken / self.rows:.1%}) are broken, "
            f"most often: {self.commonest}; data.max_broken_ratio allows "
            f"{self.max_broken_ratio:.1%}."
        )

    @property
    def remedy(self) -> str:
        """Names the report that lists the rows."""
        return f"Mend the rows listed in {self.report}, or raise data.max_broken_ratio."


@dataclass(eq=False)
class SplitError(DataError):
    """Too few examples, or too few labels, to train, calibrate and hold out."""

    reason: str

    def __str__(self) -> str:
        return f"The data cannot be split: {self.reason}."

    @property
    def remedy(self) -> str:
        """Names the ways out."""
        return (
            "Add examples of that label, change data.holdout_ratio and data.validation_ratio, or "
            "leave rare labels out: min_examples of a [[tasks]]."
        )
