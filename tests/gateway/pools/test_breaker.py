from __future__ import annotations

from gateway.pools.breaker import Breaker, BreakerState


def send(breaker: Breaker, now_s: float, *, has_succeeded: bool | None) -> None:
    assert breaker.has_room(now_s)
    is_trial = breaker.begin(now_s)
    breaker.end(now_s, is_trial=is_trial, has_succeeded=has_succeeded)


def opened_for(breaker: Breaker, now_s: float) -> float:
    """How long it stays open from now on, in steps of 0.1 s."""
    steps = 0
    while breaker.state(now_s + steps / 10) is BreakerState.OPEN:
        steps += 1
    return steps / 10


def test_breaker_counts_failures_in_a_row_alone() -> None:
    breaker = Breaker()
    for outcome in (False, False, True, False, None):
        send(breaker, 0.0, has_succeeded=outcome)
    assert breaker.failures == 1


def test_breaker_open_has_no_room_until_its_time_is_over() -> None:
    breaker = Breaker()
    breaker.trip(100.0)
    assert not breaker.has_room(100.4)
    assert breaker.has_room(100.5)


def test_breaker_half_open_lets_one_request_try_at_a_time() -> None:
    breaker = Breaker()
    breaker.trip(0.0)
    is_trial = breaker.begin(1.0)
    assert is_trial
    assert not breaker.has_room(1.0)
    breaker.end(1.1, is_trial=is_trial, has_succeeded=None)  # the caller left: nothing was shown
    assert breaker.has_room(1.1)


def test_breaker_closes_after_two_trials_that_succeed() -> None:
    breaker = Breaker()
    breaker.trip(0.0)
    send(breaker, 1.0, has_succeeded=True)
    assert breaker.state(1.0) is BreakerState.HALF_OPEN
    send(breaker, 1.1, has_succeeded=True)
    assert breaker.state(1.1) is BreakerState.CLOSED


def test_breaker_waits_longer_after_each_trial_that_fails_up_to_five_seconds() -> None:
    breaker = Breaker()
    now_s, waits_s = 0.0, []
    breaker.trip(now_s)
    for _ in range(6):
        waits_s.append(opened_for(breaker, now_s))
        now_s += waits_s[-1]
        send(breaker, now_s, has_succeeded=False)
    assert waits_s == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_breaker_forgets_earlier_ejections_after_calm() -> None:
    breaker = Breaker()
    for trip_s in (0.0, 10.0):
        breaker.trip(trip_s)
    for trial_s in (20.0, 20.1):
        send(breaker, trial_s, has_succeeded=True)
    breaker.trip(60.0)
    assert opened_for(breaker, 60.0) == 0.5


def test_breaker_ignores_what_was_sent_before_it_opened() -> None:
    breaker = Breaker()
    early = breaker.begin(0.0)
    breaker.trip(0.1)
    breaker.end(0.2, is_trial=early, has_succeeded=True)
    assert breaker.state(0.2) is BreakerState.OPEN
    breaker.end(0.7, is_trial=early, has_succeeded=False)
    assert breaker.state(0.7) is BreakerState.HALF_OPEN


def test_breaker_try_now_ends_the_wait() -> None:
    breaker = Breaker()
    breaker.trip(50.0)
    breaker.try_now()
    assert breaker.state(50.0) is BreakerState.HALF_OPEN
