"""The line through batches' sizes and times, and how many are worth their time."""

from __future__ import annotations

import math
import random

import pytest

from gateway.admission.batch_times import Batch, BatchTimes


def fitted(fixed_s: float, slope_s: float, sizes: list[int], begun_s: float = 0.0) -> BatchTimes:
    times = BatchTimes()
    learn(times, fixed_s, slope_s, sizes, begun_s)
    return times


def learn(
    times: BatchTimes, fixed_s: float, slope_s: float, sizes: list[int], begun_s: float
) -> None:
    for step, size in enumerate(sizes):
        times.observe(Batch(fixed_s + slope_s * size, size), begun_s + 0.1 * step)


def various_sizes(count: int) -> list[int]:
    chance = random.Random(0)
    return [chance.randint(1, 16) for _ in range(count)]


def test_worthwhile_size_of_nothing_known_is_unbounded() -> None:
    assert BatchTimes().worthwhile_size(0.1) == math.inf


def test_worthwhile_size_makes_half_of_the_time_variable() -> None:
    # 80 ms and 10 ms each: 8 take 160 ms, half of it their own.
    times = fitted(0.08, 0.01, various_sizes(100))
    # Sizes spread by 4.6 about 8.5, so what is taken for fixed beside them is 3 per cent.
    assert times.worthwhile_size(0.1) == pytest.approx(8.0, rel=0.1)


def test_worthwhile_size_is_more_where_it_still_takes_the_wanted_time() -> None:
    times = fitted(0.02, 0.01, various_sizes(100))
    assert times.worthwhile_size(0.1) == pytest.approx(8.0, rel=0.1)


def test_worthwhile_size_of_batches_that_take_equally_long_is_unbounded() -> None:
    assert fitted(0.16, 0.0, various_sizes(100)).worthwhile_size(0.1) == math.inf


def test_worthwhile_size_of_batches_that_take_less_with_more_in_them_is_unbounded() -> None:
    assert fitted(0.3, -0.01, various_sizes(100)).worthwhile_size(0.1) == math.inf


def test_worthwhile_size_hears_little_of_sizes_that_hardly_differ() -> None:
    chance = random.Random(0)
    times = BatchTimes()
    for step in range(200):
        batch = Batch(0.16 * chance.uniform(0.8, 1.2), chance.choice((15, 16)))
        times.observe(batch, 0.1 * step)
    assert times.worthwhile_size(0.1) > 30


def test_worthwhile_size_follows_a_service_that_changes() -> None:
    times = fitted(0.02, 0.01, various_sizes(100))
    learn(times, 0.08, 0.005, various_sizes(400), begun_s=10.0)
    assert times.worthwhile_size(0.1) == pytest.approx(16.0, rel=0.15)
