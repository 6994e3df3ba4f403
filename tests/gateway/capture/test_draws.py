from __future__ import annotations

import random

import pytest

from gateway.capture.draws import CapturePolicy, include

POLICY = CapturePolicy(0.1, 0.5, 0.6, 0.8)


def test_weights_stand_for_all_answers() -> None:
    generator = random.Random(7)
    total = low = differing = 0.0
    drawn = 0
    for number in range(20_000):
        confidence, has_agreed = 0.1 + 0.8 * (number % 10) / 10, (None, True, False)[number % 3]
        is_uniform = generator.random() < POLICY.uniform_ratio
        found = include(
            POLICY,
            generator.random,
            is_uniform=is_uniform,
            confidence=confidence,
            has_agreed=has_agreed,
        )
        if found is not None:
            drawn += 1
            total += found.weight
            low += found.weight * (confidence < 0.6)
            differing += found.weight * (has_agreed is False)

    assert drawn < 12_000
    # The deviation of a Horvitz-Thompson total is about 250 here; four of them.
    assert total == pytest.approx(20_000, abs=1000)
    assert low == pytest.approx(14_000, abs=700)
    assert differing == pytest.approx(6_667, abs=300)


def test_answer_that_no_draw_takes_is_not_captured() -> None:
    found = include(POLICY, lambda: 0.99, is_uniform=False, confidence=0.1, has_agreed=False)

    assert found is None


def test_reasons_are_those_of_the_draws_that_took_it() -> None:
    found = include(POLICY, lambda: 0.0, is_uniform=False, confidence=0.1, has_agreed=False)

    assert found is not None
    assert found.reasons == ("low_confidence", "disagreement")
    assert found.weight == pytest.approx(1 / (1 - 0.9 * 0.5 * 0.2))


def test_uniform_draw_alone_needs_no_answer() -> None:
    assert not CapturePolicy(0.1, 0.0, 0.5, 0.0).needs_all
    assert POLICY.needs_all
