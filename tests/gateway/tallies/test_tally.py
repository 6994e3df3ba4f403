from __future__ import annotations

import pytest

from gateway.tallies.tally import Tally, bucket_of, quantile_ms


@pytest.mark.parametrize("latency_ms", [0.2, 1.0, 3.7, 80.0, 499.9, 12_000.0])
def test_quantile_is_at_most_a_bucket_too_high(latency_ms: float) -> None:
    found = quantile_ms({bucket_of(latency_ms): 1}, 0.99)
    assert found is not None
    # A bucket is 2 ** (1 / 16) wide, and nothing is told apart below 1 ms.
    assert max(1.0, latency_ms) <= found * (1 + 1e-12)
    assert found <= max(1.0, latency_ms) * 2 ** (1 / 16)


def test_quantiles_of_many_and_of_none() -> None:
    latency = {bucket_of(10.0): 98, bucket_of(400.0): 2}
    assert quantile_ms(latency, 0.5) == pytest.approx(10, rel=0.05)
    assert quantile_ms(latency, 0.99) == pytest.approx(400, rel=0.05)
    assert quantile_ms({}, 0.5) is None


def test_only_what_is_surely_slower_counts_as_slow() -> None:
    tally = Tally(0.5, answers=4, latency={bucket_of(ms): 1 for ms in (100, 499, 560, 900)})
    assert tally.counts(500.0).slow == 2


def test_tallies_add_up() -> None:
    tally = Tally(0.5, units=1, answers=2, failures=1, latency={3: 2})
    tally.add(Tally(0.5, units=4, answers=1, shed=5, latency={3: 1, 9: 1}))
    assert tally == Tally(0.5, units=5, answers=3, failures=1, shed=5, latency={3: 3, 9: 1})
