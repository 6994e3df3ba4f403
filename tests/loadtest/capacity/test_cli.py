"""A profile of the real service and the exported demo, and a plan made with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.capacity.profile import read_profile

ROOT = Path(__file__).parents[3]


def loadtest(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.e2e
def test_profile_of_the_real_service_has_all_sizes_of_batches_and_makes_a_plan(
    tmp_path: Path, demo_repository: Path
) -> None:
    file = tmp_path / "profile.json"

    result = loadtest(
        "profile", "--seconds", 1, "--output", file, "--model-repository", demo_repository
    )

    assert result.returncode == 0, result.stdout + result.stderr
    profile = read_profile(file)
    sizes = {step.name: max(step.service_ms) for step in profile.steps}
    assert sizes == {step.name: step.max_batch for step in profile.steps}
    assert set(sizes) == {"image_encoder", "text_encoder", "fusion_head"}
    assert all(ms > 0 for step in profile.steps for ms in step.service_ms.values())
    assert profile.cores is not None
    assert profile.slowdown >= 1
    values = tmp_path / "values.yaml"
    planned = loadtest("plan", "--rps", 5, "--p99", "60s", "--profile", file, "--output", values)
    # Whether the plan keeps all that was asked depends on what this machine has left.
    assert planned.returncode in {0, 1}, planned.stdout + planned.stderr
    assert "replicas:" in values.read_text(encoding="utf-8")
