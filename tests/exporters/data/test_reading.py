from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow
import pyarrow.parquet
import pytest

from exporters.data.errors import TableError
from exporters.data.reading import read_rows

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [
    {"image": "a.png", "text": "ein Bär, «süß»", "label": "animals"},
    {"image": "b.png", "text": 'two\nlines and a "quote"', "label": "7"},
]


def test_csv_with_byte_order_mark_quotes_and_line_breaks_is_read(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        "image,text,label,more\n"
        'a.png,"ein Bär, «süß»",animals,x\n'
        'b.png,"two\nlines and a ""quote""",7,y\n',
        encoding="utf-8-sig",
    )

    assert read_rows(table, ROWS[0]) == ROWS


def test_jsonl_with_blank_lines_and_line_separators_in_strings_is_read(tmp_path: Path) -> None:
    table = tmp_path / "table.jsonl"
    separated = {"image": "c.png", "text": "one\u2028two", "label": "x"}
    lines = [json.dumps(row, ensure_ascii=False) for row in (*ROWS, separated)]
    table.write_text("\n\n".join(lines), encoding="utf-8")

    assert read_rows(table, ROWS[0]) == [*ROWS, separated]


def test_parquet_is_read_with_numbers_as_text_and_null_as_empty(tmp_path: Path) -> None:
    table = tmp_path / "table.parquet"
    columns = {"image": ["a.png", "b.png"], "text": ["one", None], "label": [1, 2]}
    pyarrow.parquet.write_table(pyarrow.table(columns), table)

    assert read_rows(table, ["text", "label"]) == [
        {"text": "one", "label": "1"},
        {"text": "", "label": "2"},
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("table.xlsx", b"", "none of .csv, .jsonl, .parquet"),
        ("table.csv", b"image,text\na,b\n", "no column 'label', only image, text"),
        ("table.csv", b"image,text,label\n", "no rows"),
        ("table.csv", b"\xff\xfe\x00", "cannot be read"),
        ("table.jsonl", b'{"image": ', "cannot be read"),
        ("table.parquet", b"not parquet", "cannot be read"),
        ("table.jsonl", b"[1, 2]", "line 1 is not a JSON object"),
    ],
)
def test_unusable_table_is_refused_with_its_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    table = tmp_path / name
    table.write_bytes(content)

    with pytest.raises(TableError, match=reason):
        read_rows(table, ["image", "text", "label"])


def test_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such file"):
        read_rows(tmp_path / "table.csv", ["image"])
