"""What is held against 15 per cent: each load over all rounds, not the worst of them."""

from __future__ import annotations

import pytest

from loadtest.capacity.validation import Compared, Rounds, Seen, judge


def rounds(*p50_ms: tuple[float, float]) -> Rounds:
    """One load in each round: medians measured and simulated."""
    return Rounds(
        measured=(),
        compared=[
            [Compared(30.0, Seen(real, 100.0, 0.2), Seen(simulated, 100.0, 0.2))]
            for real, simulated in p50_ms
        ],
    )


def test_a_spell_that_met_one_round_alone_counts_as_one_of_three() -> None:
    (load,) = rounds((24.0, 24.0), (30.0, 24.0), (24.0, 24.0)).loads
    assert load.real.p50_ms == pytest.approx(26.0)
    assert load.differences["P50"] == pytest.approx(1 - 24 / 26)
    assert all(each.is_met for each in judge([load]))


def test_what_is_off_in_every_round_is_missed() -> None:
    missed = [
        each.name for each in judge(rounds((24.0, 28.0), (25.0, 29.5)).loads) if not each.is_met
    ]
    assert missed == ["P50 at 30/s, off by"]


def test_what_is_shed_is_compared_in_requests() -> None:
    compared = Compared(200.0, Seen(280.0, 430.0, 0.50), Seen(280.0, 430.0, 0.60))
    assert compared.differences["shed"] == pytest.approx(0.10)
    assert all(each.is_met for each in judge([compared]))
