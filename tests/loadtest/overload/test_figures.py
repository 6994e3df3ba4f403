from __future__ import annotations

import pytest

from loadtest.bench.accounting import CpuUse
from loadtest.overload.figures import OverloadFigures, judge, recovery_s
from loadtest.overload.open_loop import NO_ANSWER, Reply

CPU = CpuUse({"client": 0.1}, foreign_ratio=0.0, idle_ratio=0.5)


def overload(replies: list[Reply], multiple: int = 2) -> OverloadFigures:
    return OverloadFigures.of(multiple, 10.0, replies, duration_s=1.0, cpu=CPU)


def test_figures_count_only_right_answers_within_half_a_second() -> None:
    replies = [
        *(Reply(0.1, 0.2, 200) for _ in range(9)),
        Reply(0.2, 0.6, 200),
        Reply(0.3, 0.01, 429),
        Reply(0.4, 0.5, 504),
        Reply(0.5, 0.1, NO_ANSWER),
        Reply(1.5, 0.1, 200),  # of the calm after it
    ]
    figures = overload(replies)
    assert figures.in_time_rps == 9
    assert figures.goodput_ratio == pytest.approx(0.9)
    assert figures.offered_rps == 13
    assert figures.admitted.count == 12
    assert figures.admitted.p99_ms == pytest.approx(600)
    assert figures.refusals.count == 1
    assert figures.statuses == {"200": 10, "429": 1, "504": 1, "0": 1}


def test_recovery_is_the_last_refused_or_late_request_after_the_load() -> None:
    calm = [Reply(1.1, 0.0, 429), Reply(1.4, 0.9, 200), Reply(1.6, 0.1, 200)]
    assert recovery_s([Reply(0.9, 0.0, 429), *calm], 1.0) == pytest.approx(0.4)
    assert recovery_s(calm[2:], 1.0) == 0.0


def test_judge_misses_each_target_that_is_not_reached() -> None:
    good = [Reply(0.0, 0.2, 200)] * 10 + [Reply(0.0, 0.01, 429)] * 10
    assert all(verdict.is_met for verdict in judge([overload(good)]))
    bad = [Reply(0.0, 0.6, 200)] * 10 + [Reply(0.0, 0.06, 429)] * 10 + [Reply(3.0, 0.1, 429)]
    assert not any(verdict.is_met for verdict in judge([overload(bad)]))
