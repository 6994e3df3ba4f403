"""The command line as a user types it; the last with real Tritons and a real gateway."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def faults(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest.faults", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_faults_unknown_name_lists_those_there_are() -> None:
    result = faults("--only", "earthquake")
    assert result.returncode == 2
    assert "black hole" in result.stderr


@pytest.mark.e2e
def test_faults_quick_loses_nothing_to_a_killed_triton_and_a_black_hole(tmp_path: Path) -> None:
    output = tmp_path / "faults.json"
    only = "triton killed,black hole"
    result = faults("--quick", "--only", only, "--output", str(output))
    assert result.returncode == 0, result.stdout + result.stderr
    written = json.loads(output.read_text(encoding="utf-8"))
    killed, black_hole = written["figures"]["faults"]
    for figures in (killed, black_hole):
        assert figures["dishonest"] == 0
        assert not figures["has_gateway_restarted"]
        # Two servers of three are well. A few may meet what nothing can be done about in time on a
        # machine that does other things too.
        assert figures["answered_ratio"] >= 0.9
