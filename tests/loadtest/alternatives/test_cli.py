from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def alternatives(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest.alternatives", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["brakes", "servers"])
def test_alternatives_help_has_an_example(command: str) -> None:
    result = alternatives(command, "--help")
    assert result.returncode == 0
    assert f"python -m loadtest.alternatives {command} --seconds" in result.stdout


def test_brakes_haproxy_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = alternatives("brakes", "--haproxy", tmp_path / "none")
    assert result.returncode == 2
    assert "--haproxy" in result.stderr


@pytest.mark.e2e
def test_brakes_quick_tries_the_gateway_and_one_without_a_brake(
    tmp_path: Path, demo_repository: Path
) -> None:
    output = tmp_path / "brakes.json"
    result = alternatives(
        "brakes", "--quick", "--model-repository", demo_repository, "--output", output
    )
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads(output.read_text(encoding="utf-8"))["figures"]["brakes"]
    tried = [(each["brake"], each["multiple"]) for each in found]
    own = [("this gateway", 2), ("this gateway", 10), ("no brake", 2), ("no brake", 10)]
    assert tried[:4] == own
    assert all(each["statuses"] for each in found)
