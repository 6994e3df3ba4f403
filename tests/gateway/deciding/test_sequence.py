from __future__ import annotations

import math

import pytest

from gateway.deciding.sequence import half_width, log_evidence, sequence


@pytest.mark.parametrize("variance", [1e-6, 1e-4, 1e-2, 1.0])
def test_bounds_are_where_the_evidence_reaches_the_level(variance: float) -> None:
    interval = sequence(0.3, variance, 0.05, 0.05)
    for bound in (interval.low, interval.high):
        assert log_evidence(0.3, bound, variance, 0.05) == pytest.approx(math.log(20))


def test_sequence_is_wider_than_the_interval_for_one_look_and_shrinks() -> None:
    widths = [half_width(variance, 0.02, 0.05) for variance in (1e-3, 1e-4, 1e-5)]
    assert widths == sorted(widths, reverse=True)
    assert all(
        width > 1.96 * math.sqrt(variance)
        for width, variance in zip(widths, (1e-3, 1e-4, 1e-5), strict=True)
    )


def test_nothing_known_is_an_interval_without_end_and_no_evidence() -> None:
    assert half_width(math.inf, 0.02, 0.05) == math.inf
    assert log_evidence(0.3, 0.0, math.inf, 0.02) == 0.0
