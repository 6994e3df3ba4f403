"""Percentiles by nearest rank."""

from __future__ import annotations

import math

import pytest

from loadtest.bench.latencies import Percentiles, nearest_rank


@pytest.mark.parametrize(
    ("count", "ratio", "expected"),
    [(1, 0.99, 1), (2, 0.5, 1), (20, 0.95, 19), (100, 0.99, 99), (101, 0.99, 100), (3, 1.0, 3)],
)
def test_nearest_rank_of_counting_numbers(count: int, ratio: float, expected: int) -> None:
    assert nearest_rank(range(1, count + 1), ratio) == expected


def test_percentiles_do_not_depend_on_the_order() -> None:
    percentiles = Percentiles.of(float(value) for value in range(200, 0, -1))

    assert percentiles == Percentiles(count=200, p50_ms=100.0, p95_ms=190.0, p99_ms=198.0)


def test_percentiles_of_nothing_are_not_numbers() -> None:
    percentiles = Percentiles.of([])

    assert percentiles.count == 0
    assert math.isnan(percentiles.p50_ms)
    assert math.isnan(percentiles.p99_ms)
