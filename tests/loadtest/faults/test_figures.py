from __future__ import annotations

import pytest

from loadtest.faults.figures import FaultFigures, Times, is_honest, judge
from loadtest.overload.open_loop import NO_ANSWER, Reply

TIMES = Times(struck_s=1.0, healed_s=3.0)


def figures(
    replies: list[Reply], *, has_survivors: bool = False, may_reset: bool = False
) -> FaultFigures:
    return FaultFigures.of(
        "test",
        replies,
        TIMES,
        has_survivors=has_survivors,
        may_reset=may_reset,
        has_gateway_restarted=False,
    )


@pytest.mark.parametrize(
    ("status", "latency_s", "expected"),
    [
        (200, 0.1, True),
        (503, 0.02, True),
        (504, 0.51, True),  # the deadline, and a little for the way
        (504, 0.7, False),
        (200, 0.7, False),
        (NO_ANSWER, 0.01, False),
        (502, 0.01, False),  # nobody of ours says that
    ],
)
def test_is_honest_wants_an_answer_of_ours_in_time(
    status: int, latency_s: float, expected: bool
) -> None:
    assert is_honest(Reply(0.0, latency_s, status)) is expected


def test_figures_recovery_ends_with_the_last_request_that_failed() -> None:
    replies = [Reply(at_s, 0.01, 503 if 1.0 < at_s < 4.5 else 200) for at_s in range(8)]
    assert figures(replies).recovery_s == 1.0


def test_figures_answered_ratio_counts_the_time_of_the_fault_alone() -> None:
    replies = [Reply(0.5, 0.01, 503), Reply(1.5, 0.01, 200), Reply(2.5, 0.01, 503)]
    assert figures(replies).answered_ratio == 0.5


def test_figures_reset_counts_as_honest_only_where_it_may_be_and_in_time() -> None:
    replies = [Reply(1.5, 0.01, NO_ANSWER), Reply(1.6, 2.0, NO_ANSWER)]
    assert figures(replies).dishonest == 2
    assert figures(replies, may_reset=True).dishonest == 1


def test_judge_wants_answers_meanwhile_only_where_servers_are_left() -> None:
    replies = [Reply(1.5, 0.01, 503)]
    missed = [each.name for each in judge([figures(replies)]) if not each.is_met]
    assert missed == []
    missed = [
        each.name for each in judge([figures(replies, has_survivors=True)]) if not each.is_met
    ]
    assert missed == ["test: answered meanwhile"]
