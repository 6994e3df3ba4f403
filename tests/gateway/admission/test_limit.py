from __future__ import annotations

import pytest

from gateway.admission.limit import GradientLimit


def feed(limit: GradientLimit, latency_s: float, in_flight: int, now_s: float) -> None:
    limit.note_in_flight(in_flight)
    for _ in range(10):
        limit.observe(latency_s, now_s, now_s)


def test_limit_reached_and_quick_grows_to_its_bound() -> None:
    limit = GradientLimit(0.5, max_limit=100)
    for step in range(50):
        feed(limit, 0.01, limit.limit, step)
    assert limit.limit == 100


def test_limit_not_reached_does_not_grow() -> None:
    limit = GradientLimit(0.5, max_limit=100)
    before = limit.limit
    for step in range(50):
        feed(limit, 0.01, 2, step)
    assert limit.limit == before


def test_limit_slow_answers_fall_from_what_was_inside_never_below_one() -> None:
    limit = GradientLimit(0.5, max_limit=100)
    feed(limit, 0.4, 10, 1.0)
    assert limit.limit == 6  # 10 places took 0.4 s; 6 take hardly less than the wanted 0.25 s
    for step in range(20):
        feed(limit, 10.0, 1, 2.0 + step)
    assert limit.limit == 1


def test_limit_answers_admitted_under_an_earlier_limit_do_not_count() -> None:
    limit = GradientLimit(0.5, max_limit=100)
    feed(limit, 0.4, 4, 1.0)
    after = limit.limit
    for _ in range(100):
        limit.observe(0.4, admitted_s=0.5, now_s=1.5)
    assert limit.limit == after


@pytest.mark.parametrize("wanted_s", [0.1, 0.5, 2.0])
def test_limit_settles_at_rate_times_wanted_latency(wanted_s: float) -> None:
    limit = GradientLimit(wanted_s / 0.5, max_limit=10_000)
    rate_rps = 200.0
    for step in range(60):
        feed(limit, limit.limit / rate_rps, limit.limit, step)
    assert limit.limit == pytest.approx(rate_rps * wanted_s, rel=0.1)  # whole places


def test_limit_that_falls_without_effect_is_let_up_again() -> None:
    limit = GradientLimit(0.5, max_limit=100)
    limits = []
    for step in range(60):
        feed(limit, 0.35, limit.limit, step / 4)
        limits.append(limit.limit)
    assert min(limits) < 9  # half of where it began
    assert limits[-1] == 100


def test_limit_that_falls_with_effect_stays() -> None:
    limit = GradientLimit(0.5, max_limit=100)
    for step in range(60):
        feed(limit, limit.limit * 0.05, limit.limit, step / 4)
    assert limit.limit == 5  # of 50 ms each, in the wanted 250; what is left is cut off
