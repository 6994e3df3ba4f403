"""CSV, JSONL and Parquet files as rows of text. What the rows mean is checked elsewhere."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, Final

from exporters.data.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

LIST_SEPARATOR: Final = "\x1f"
"""What ASCII calls the unit separator: in front of each entry of a cell that is a list."""

Row = dict[str, str]
"""The wanted columns of one row; a missing or null value is the empty text."""


def read_rows(table: Path, columns: Iterable[str]) -> list[Row]:
    """Reads some columns of a table.

    Args:
        table: a `.csv`, `.jsonl` or `.parquet` file; text is UTF-8.
        columns: the columns that are wanted.

    Returns:
        The rows in file order. Row numbers, counted from 1 without a header, are positions + 1.

    Raises:
        TableError: the file is missing, empty, not of its format, or lacks a column.
    """
    reader = _READERS.get(table.suffix.lower())
    if reader is None:
        raise TableError(table, f"'{table.suffix}' is none of {', '.join(_READERS)}")
    if not table.is_file():
        raise TableError(table, "there is no such file")
    try:
        records = reader(table)
    except (ValueError, csv.Error) as error:
        raise TableError(table, f"it cannot be read: {error}") from error
    if not records:
        raise TableError(table, "it has no rows")
    wanted = tuple(columns)
    known = {column for record in records for column in record}
    missing = [column for column in wanted if column not in known]
    if missing:
        raise TableError(table, f"it has no column '{missing[0]}', only {', '.join(sorted(known))}")
    return [{column: _as_text(record.get(column)) for column in wanted} for record in records]


def _as_text(value: Any) -> str:  # noqa: ANN401 - a cell of any format
    if isinstance(value, list):
        # One in front: an empty list is not an empty cell.
        return LIST_SEPARATOR + LIST_SEPARATOR.join(map(str, value))
    return "" if value is None else str(value)


def _read_csv(table: Path) -> list[dict[str, Any]]:
    # utf-8-sig: spreadsheets put a byte order mark in front of the first column's name.
    with table.open(encoding="utf-8-sig", newline="") as file:
        # What a row holds beyond the header's columns lands under the key "".
        return list(csv.DictReader(file, restkey=""))


def _read_jsonl(table: Path) -> list[dict[str, Any]]:
    records = []
    # Not str.splitlines: it also splits at U+2028, which JSON strings may hold as it is.
    with table.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            record = json.loads(line)
            if not isinstance(record, dict):
                message = f"line {number} is not a JSON object"
                raise ValueError(message)
            records.append(record)
    return records


def _read_parquet(table: Path) -> list[dict[str, Any]]:
    # Imported here: of the three formats only this one needs it.
    import pyarrow.parquet

    try:
        records: list[dict[str, Any]] = pyarrow.parquet.read_table(table).to_pylist()
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from error
    return records


_READERS: Final[dict[str, Callable[[Path], list[dict[str, Any]]]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
