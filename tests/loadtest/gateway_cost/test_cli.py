"""The command line as a user types it; the last with the real service and the exported demo."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def gateway_cost(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest.gateway_cost", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_gateway_cost_help_has_an_example(tmp_path: Path) -> None:
    result = gateway_cost(tmp_path, "--help")
    assert result.returncode == 0
    assert "python -m loadtest.gateway_cost --seconds 5" in result.stdout


def test_gateway_cost_without_a_repository_says_what_to_do(tmp_path: Path) -> None:
    result = gateway_cost(tmp_path)
    assert result.returncode == 2
    assert "make export" in result.stderr


@pytest.mark.e2e
def test_gateway_cost_quick_tries_every_part_and_writes_figures(
    tmp_path: Path, demo_repository: Path
) -> None:
    result = gateway_cost(tmp_path, "--quick", "--model-repository", demo_repository)
    assert result.returncode == 0, result.stdout + result.stderr
    written = json.loads((tmp_path / ".bench" / "gateway.json").read_text(encoding="utf-8"))
    figures = written["figures"]
    for measured in ("cpu", "thin_cpu"):
        assert [each["clients"] for each in figures[measured]] == [1, 8, 16]
        assert all(each["cpu_ms"] > 0 for each in figures[measured])
    assert figures["latency"]["direct"]["count"] == figures["latency"]["through"]["count"] > 0
    assert sum(figures["shares"].values()) == pytest.approx(1.0)
