from __future__ import annotations

import pytest

from gateway.pools.latency import Latency


def test_latency_unknown_has_no_patience() -> None:
    assert Latency().patience_s is None


def test_latency_follows_what_it_hears() -> None:
    latency = Latency()
    for _ in range(100):
        latency.observe(0.2)
    # (7/8)^100 of a first guess is left: nothing.
    assert latency.mean_s == pytest.approx(0.2, abs=1e-5)
    assert latency.patience_s == pytest.approx(0.2, abs=1e-3)


def test_latency_that_varies_is_waited_for_longer() -> None:
    latency = Latency()
    for number in range(100):
        latency.observe(0.1 if number % 2 else 0.3)
    assert latency.patience_s is not None
    assert latency.patience_s > 0.4  # the mean of 0.2 and twice the whole spread


def test_latency_below_the_noise_of_the_event_loop_is_not_doubted_at_once() -> None:
    latency = Latency()
    for _ in range(100):
        latency.observe(0.001)
    assert latency.patience_s == 0.05
