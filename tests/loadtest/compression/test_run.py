from __future__ import annotations

import math

import pytest

from loadtest.compression.run import Gain, judge


def gain(*ratios: float, failures: int = 0) -> Gain:
    return Gain(16, {"demo": 50.0, "demo-int8": 80.0}, ratios, {"demo": 0, "demo-int8": failures})


def test_gain_is_the_median_of_its_rounds() -> None:
    assert gain(1.2, 1.6, 9.0).ratio == 1.6


@pytest.mark.parametrize(("ratios", "is_met"), [((1.5,), True), ((1.49,), False), ((), False)])
def test_target_needs_half_as_much_again(ratios: tuple[float, ...], is_met: bool) -> None:
    throughput, _ = judge(gain(*ratios))

    assert throughput.is_met is is_met
    assert math.isnan(throughput.figure) is not bool(ratios)


def test_target_is_missed_when_an_answer_was_wrong() -> None:
    _, failures = judge(gain(2.0, failures=1))

    assert not failures.is_met
