from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from loadtest.tracing_cost.run import MAX_UNSAMPLED_US, Cost, Mode, judge

if TYPE_CHECKING:
    from pathlib import Path


def test_command_measures_every_mode_and_only_a_sampled_request_is_sent(tmp_path: Path) -> None:
    output = tmp_path / "tracing.json"
    command = [sys.executable, "-m", "loadtest.tracing_cost", "--quick", "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    costs = {each["mode"]: each for each in json.loads(output.read_text())["figures"]["costs"]}
    assert set(costs) == set(Mode)
    assert costs[Mode.OFF]["own_us"] < costs[Mode.SAMPLED]["own_us"]


@pytest.mark.parametrize(("above_us", "is_met"), [(-1.0, True), (1.0, False)])
def test_judge_cost_above_its_limit_is_missed(above_us: float, is_met: bool) -> None:
    costs = [Cost(Mode.OFF, 1.0, 0.0), Cost(Mode.UNSAMPLED, MAX_UNSAMPLED_US + above_us, 0.0)]
    assert [each.is_met for each in judge(costs)] == [True, is_met]
