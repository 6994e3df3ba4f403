"""Figures and verdicts from replies that are written down here."""

from __future__ import annotations

import math

import pytest

from loadtest.traffic.figures import RunFigures, judge
from loadtest.traffic.replies import Reply
from loadtest.traffic.scenario import Limits, Scenario
from loadtest.traffic.shapes import Steady


def scenario(limits: Limits) -> Scenario:
    return Scenario.model_validate(
        {
            "about": "a test",
            "duration_s": 10,
            "shape": Steady(kind="steady", rate_rps=10),
            "protocols": {"json": 1},
            "modalities": {"both": 1},
            "limits": limits,
        }
    )


def replies(*, right: int, slow: int = 0, refused: int = 0, failed: int = 0) -> list[Reply]:
    kinds = [("right", 0.1, right), ("right", 0.9, slow), ("refused", 0.01, refused)]
    kinds.append(("failed", 0.2, failed))
    return [
        Reply(0.1 * number, 0.001, latency_s, "json", "both", outcome, "x")
        for outcome, latency_s, count in kinds
        for number in range(count)
    ]


def missed(limits: Limits, got: list[Reply]) -> set[str]:
    verdicts = judge(RunFigures.of(scenario(limits), got), limits)
    return {verdict.name for verdict in verdicts if not verdict.is_met}


def test_figures_count_every_request_that_was_due() -> None:
    figures = RunFigures.of(scenario(Limits()), replies(right=90, slow=4, refused=5, failed=1))
    assert figures.offered_rps == 10.0
    assert figures.whole.goodput_ratio == pytest.approx(0.90)
    assert figures.whole.refused_ratio == pytest.approx(0.05)
    assert figures.whole.error_ratio == pytest.approx(0.01)
    assert figures.whole.right.p99_ms == 900.0
    assert figures.troubles == {"refused: x": 5, "failed: x": 1}


def test_judge_names_each_limit_that_is_missed_and_no_other() -> None:
    limits = Limits(max_error_ratio=0.01, max_refused_ratio=0.02, min_goodput_ratio=0.9)
    assert missed(limits, replies(right=97, refused=2, failed=1)) == set()
    assert missed(limits, replies(right=98, failed=2)) == {"without error / requests"}
    assert missed(limits, replies(right=97, refused=3)) == {"not refused / requests"}
    assert missed(limits, replies(right=98, slow=2)) == {"P99 of right answers"}
    assert missed(limits, replies(right=80, slow=20)) == {
        "P99 of right answers",
        "right within 500 ms / requests",
    }


def test_judge_of_a_run_in_which_nothing_was_sent_misses_everything() -> None:
    figures = RunFigures.of(scenario(Limits()), [])
    assert math.isnan(figures.whole.goodput_ratio)
    assert not any(verdict.is_met for verdict in judge(figures, Limits()))
