from __future__ import annotations

import pytest

from loadtest.balance.figures import Balance, Share, is_broken, judge
from loadtest.overload.open_loop import NO_ANSWER, Reply


@pytest.mark.parametrize(
    ("status", "latency_s", "expected"),
    [
        (200, 0.1, False),
        (200, 0.7, True),
        (429, 0.01, False),  # not let in
        (503, 0.01, True),
        (504, 0.5, True),
        (NO_ANSWER, 0.01, True),
    ],
)
def test_reply_is_broken_when_it_was_let_in_and_not_answered_in_time(
    status: int, latency_s: float, expected: bool
) -> None:
    assert is_broken(Reply(0.0, latency_s, status), 0.5) is expected


def test_share_compares_the_busiest_with_the_idlest() -> None:
    share = Share.of("test", {"a": 110, "b": 100, "c": 104}, [Reply(0.0, 0.2, 200)], 0.5)

    assert share.spread_ratio == pytest.approx(0.1)
    assert share.worst_ms == pytest.approx(200)


def test_server_that_gets_nothing_is_no_balance() -> None:
    share = Share.of("test", {"a": 10, "b": 10, "c": 0}, [], 0.5)

    missed = [each.name for each in judge(Balance((share,), 0.0)) if not each.is_met]
    assert missed == ["test: the busiest above the idlest"]


def test_two_servers_need_not_be_even_and_must_answer() -> None:
    share = Share.of("test", {"a": 60, "b": 40}, [Reply(0.0, 0.1, 503)], 0.5)

    missed = [each.name for each in judge(Balance((share,), 0.0)) if not each.is_met]
    assert missed == ["test: let in and not answered in time"]
