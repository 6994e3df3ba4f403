from __future__ import annotations

import pytest

from gateway.admission.arrival import Priority
from gateway.admission.rate_limits import RateLimits
from gateway.errors import AdmissionRefusedError
from gateway.identity.principal import Principal, RateLimit
from tests.gateway.admission.simulated_service import SilentObserver


class Caller:
    """A caller with a limit and its own clock."""

    def __init__(self, rate_rps: float, burst: float, processes: int = 1) -> None:
        self.now_s = 0.0
        self.limits = RateLimits(lambda: self.now_s, SilentObserver(), processes)
        self.principal = Principal("a", frozenset(), rate_limit=RateLimit(rate_rps, burst))

    def ask(self, items: int = 1) -> int:
        """Asks once; returns 0, or the milliseconds after which to ask again."""
        try:
            self.limits.check(self.principal, Priority.INTERACTIVE)
        except AdmissionRefusedError as error:
            return error.retry_after_ms
        self.limits.take(self.principal, items)
        return 0

    def heard_in(self, seconds: float, ask_rps: float) -> int:
        """Asks steadily; returns how often it was heard."""
        heard = 0
        for _ in range(int(seconds * ask_rps)):
            self.now_s += 1 / ask_rps
            heard += self.ask() == 0
        return heard


def test_check_burst_passes_then_the_rate() -> None:
    caller = Caller(rate_rps=10, burst=5)
    assert [caller.ask() for _ in range(6)] == [0, 0, 0, 0, 0, 100]
    assert caller.heard_in(10, ask_rps=100) == pytest.approx(100, abs=1)  # the token under way


def test_check_after_the_time_it_said_passes() -> None:
    caller = Caller(rate_rps=3, burst=1)
    caller.ask()
    wait_ms = caller.ask()
    caller.now_s += (wait_ms - 1) / 1000
    assert caller.ask() > 0
    caller.now_s += 1 / 1000
    assert caller.ask() == 0


def test_check_pause_gives_no_more_than_the_burst() -> None:
    caller = Caller(rate_rps=10, burst=5)
    caller.ask()
    caller.now_s += 3600
    assert [caller.ask() for _ in range(6)].count(0) == 5


def test_take_batch_is_let_in_and_paid_for_afterwards() -> None:
    caller = Caller(rate_rps=10, burst=5)
    assert caller.ask(items=25) == 0
    assert caller.ask() == 2100  # 20 overdrawn and one to take, at 10 a second


def test_check_processes_give_a_part_each() -> None:
    parts = [Caller(rate_rps=10, burst=10, processes=4).heard_in(20, 100) for _ in range(4)]
    # 10 a second for 20 s and the burst; the token under way in each.
    assert sum(parts) == pytest.approx(210, abs=4)


def test_check_burst_below_one_request_still_lets_one_pass() -> None:
    caller = Caller(rate_rps=1, burst=1, processes=4)
    assert caller.ask() == 0
    assert caller.ask() == 4000


def test_check_caller_without_a_limit_passes() -> None:
    limits = RateLimits(lambda: 0.0, SilentObserver())
    for _ in range(1000):
        limits.check(Principal("a", frozenset()), Priority.INTERACTIVE)
        limits.take(Principal("a", frozenset()))


def test_check_many_callers_are_forgotten_oldest_first() -> None:
    now_s = 0.0
    limits = RateLimits(lambda: now_s, SilentObserver())
    limit = RateLimit(0.0001, 1)
    for index in range(10_000):
        now_s = float(index)
        limits.take(Principal(f"k{index}", frozenset(), rate_limit=limit))
    assert len(limits._buckets) <= 4096
    with pytest.raises(AdmissionRefusedError):
        limits.check(Principal("k9999", frozenset(), rate_limit=limit), Priority.INTERACTIVE)
