"""The file and the tables of a run."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from loadtest.bench import report
from loadtest.bench.errors import OutputError
from loadtest.bench.targets import judge
from tests.loadtest.bench.measurements import figures

if TYPE_CHECKING:
    from pathlib import Path


def test_write_leaves_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "main.json"
    found = figures()

    report.write(path, found, judge(found))

    content = json.loads(path.read_text(encoding="utf-8"))
    assert list(path.parent.iterdir()) == [path]
    assert content["figures"]["machine"]["cores"] == 2
    assert content["figures"]["loads"][1]["contestants"]["gateway"]["latency"]["p99_ms"] == 300.0
    assert [target["is_met"] for target in content["targets"]] == [True] * 7


def test_write_figure_that_is_not_a_number_becomes_null(tmp_path: Path) -> None:
    found = figures()
    lone = replace(found.lone_client, p50_above_longer_ms=float("nan"))

    report.write(tmp_path / "main.json", replace(found, lone_client=lone), ())

    content = json.loads((tmp_path / "main.json").read_text(encoding="utf-8"))
    assert content["figures"]["lone_client"]["p50_above_longer_ms"] is None


def test_write_where_it_cannot_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="--output"):
        report.write(tmp_path / "file" / "main.json", figures(), ())


def test_show_tells_figures_failures_and_what_was_missed() -> None:
    found = figures(failures=2, pss_mib=900.0)
    console = Console(file=io.StringIO(), width=140)

    report.show(console, found, judge(found))

    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "2 times: status 503: busy" in shown
    assert "900 MiB PSS" in shown
    assert shown.count("MISSED") == 2
