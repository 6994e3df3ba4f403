from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from loadtest.feedback_cost.run import MAX_SIGN_US, Window, judge
from loadtest.feedback_cost.signing import SigningCost

if TYPE_CHECKING:
    from pathlib import Path


def test_command_measures_single_labels_and_batches(tmp_path: Path) -> None:
    output = tmp_path / "feedback.json"
    command = [sys.executable, "-m", "loadtest.feedback_cost", "--quick", "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True, timeout=90)
    figures = json.loads(output.read_text())["figures"]
    assert [each["batch"] for each in figures["windows"]] == [1, 100]
    assert all(each["labels_rps"] > 0 for each in figures["windows"])
    assert figures["receipt"]["chars"] < 200


@pytest.mark.parametrize(("above_us", "is_met"), [(-1.0, True), (1.0, False)])
def test_judge_a_cost_above_its_limit_is_missed(above_us: float, is_met: bool) -> None:
    windows = [Window(1, 1e4, 1.0, 2.0), Window(100, 1e5, 1.0, 2.0)]
    verdicts = judge(SigningCost(MAX_SIGN_US + above_us, 1.0, 150), windows)
    assert [each.is_met for each in verdicts] == [is_met, True, True, True]
