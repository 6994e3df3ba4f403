"""The command line as a user types it; the last with the real service and the exported demo."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def overload(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest.overload", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_overload_help_has_an_example(tmp_path: Path) -> None:
    result = overload(tmp_path, "--help")
    assert result.returncode == 0
    assert "python -m loadtest.overload --seconds 10" in result.stdout


def test_overload_without_a_repository_says_what_to_do(tmp_path: Path) -> None:
    result = overload(tmp_path)
    assert result.returncode == 2
    assert "make export" in result.stderr


@pytest.mark.e2e
def test_overload_quick_tries_every_part_and_writes_figures(
    tmp_path: Path, demo_repository: Path
) -> None:
    result = overload(tmp_path, "--quick", "--model-repository", demo_repository)
    assert result.returncode == 0, result.stdout + result.stderr
    written = json.loads((tmp_path / ".bench" / "overload.json").read_text(encoding="utf-8"))
    loads = written["figures"]["loads"]
    assert [load["multiple"] for load in loads] == [2, 4, 10]
    # Whatever the machine is doing: at ten times the load most is refused, and nothing breaks.
    assert loads[-1]["statuses"]["429"] > loads[-1]["statuses"]["200"]
    assert set(loads[-1]["statuses"]) <= {"200", "429", "504"}
    assert len(written["figures"]["admission_cost"]["in_time_without"]) == 4
