"""Arrivals follow the shape, and several senders together send what one would."""

from __future__ import annotations

from itertools import pairwise

import pytest

from loadtest.traffic.shapes import Diurnal, Ramp, Spike, Steady, due_times

AnyShape = Diurnal | Ramp | Spike | Steady
LENGTH_S = 60.0


def count(shape: AnyShape, begin_s: float, end_s: float) -> int:
    return sum(begin_s <= at_s < end_s for at_s in due_times(shape, LENGTH_S, "seed"))


@pytest.mark.parametrize(
    ("shape", "begin_s", "end_s", "expected"),
    [
        (Steady(kind="steady", rate_rps=50), 0, 60, 3000),
        (Ramp(kind="ramp", from_rps=10, to_rps=110), 0, 30, 30 * 35),
        (Ramp(kind="ramp", from_rps=10, to_rps=110), 30, 60, 30 * 85),
        (Spike(kind="spike", base_rps=10, peak_rps=200), 0, 20, 200),
        (Spike(kind="spike", base_rps=10, peak_rps=200), 20, 40, 4000),
        # A cosine's mean is that of its ends; at noon it is a third of a day near its height.
        (Diurnal(kind="diurnal", night_rps=10, noon_rps=90), 0, 60, 3000),
        (Diurnal(kind="diurnal", night_rps=10, noon_rps=90), 20, 40, 20 * 50 + 20 * 40 * 0.827),
    ],
    ids=str,
)
def test_due_times_of_a_shape_come_at_its_rate(
    shape: AnyShape, begin_s: float, end_s: float, expected: float
) -> None:
    # Five standard deviations of a Poisson count.
    assert abs(count(shape, begin_s, end_s) - expected) < 5 * expected**0.5


def test_due_times_of_one_seed_are_the_same_and_ascend() -> None:
    shape = Spike(kind="spike", base_rps=5, peak_rps=50)
    due_s = list(due_times(shape, LENGTH_S, "a"))
    assert due_s == list(due_times(shape, LENGTH_S, "a")) != list(due_times(shape, LENGTH_S, "b"))
    assert all(earlier <= later for earlier, later in pairwise(due_s))


def test_due_times_of_senders_with_shares_add_up_to_the_whole() -> None:
    shape = Steady(kind="steady", rate_rps=100)
    sent = sum(len(list(due_times(shape, LENGTH_S, f"{n}", share=1 / 3))) for n in range(3))
    assert abs(sent - 6000) < 5 * 6000**0.5
