"""The beginning of the loop for real: the demo, its users, and drift that is seen."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from loadtest.demo_loop.timeline import DRIFT, Timeline
from loadtest.demo_loop.verdict import faults

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


def test_shift_of_real_traffic_is_seen_by_the_real_service(
    demo_repository: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable, "-m", "loadtest.demo_loop", "--until", DRIFT,
        "--output", str(tmp_path / "loop"), "--model-repository", str(demo_repository),
    ]  # fmt: skip

    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    timeline = Timeline.load(tmp_path / "loop" / "timeline.json", print)
    assert faults(timeline.events, timeline.answers, DRIFT) == []
    assert {each.variant for each in timeline.answers} == {"openmoji"}
    assert (tmp_path / "loop" / "drift" / "drift-ratios.png").exists()
