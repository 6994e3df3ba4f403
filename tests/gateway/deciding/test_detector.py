from __future__ import annotations

import math

import numpy as np

from gateway.deciding.detector import RateDetector

LOOKS = 2_592_000  # one false alarm in thirty days of looks each second
THRESHOLD = math.log(LOOKS)


def looks_until_alarm(detector: RateDetector, events: int, trials: int, bound: float) -> int:
    for look in range(1, 10_000):
        detector = detector.after(events, trials, bound)
        if detector.log_evidence >= THRESHOLD:
            return look
    raise AssertionError("no alarm")


def test_all_that_fails_is_seen_after_a_handful() -> None:
    assert looks_until_alarm(RateDetector(), 1, 1, 0.02) == 5


def test_half_that_fails_is_seen_within_twenty() -> None:
    assert looks_until_alarm(RateDetector(), 1, 2, 0.02) <= 10


def test_a_good_past_does_not_delay_the_alarm() -> None:
    detector = RateDetector()
    for _ in range(1000):
        detector = detector.after(0, 100, 0.02)
    assert looks_until_alarm(detector, 1, 1, 0.02) <= 6


def test_what_has_ended_is_soon_seen_to_have_ended() -> None:
    detector = RateDetector()
    for _ in range(1000):
        detector = detector.after(100, 100, 0.02)
    for _ in range(60):
        detector = detector.after(0, 100, 0.02)
    assert detector.log_evidence < THRESHOLD


def test_rate_at_the_bound_raises_no_alarm() -> None:
    random = np.random.default_rng(5)
    detector = RateDetector()
    highest = 0.0
    for events in random.binomial(50, 0.02, 5000):
        detector = detector.after(int(events), 50, 0.02)
        highest = max(highest, detector.log_evidence)
    assert highest < THRESHOLD


def test_look_without_trials_or_with_a_vacuous_bound_changes_nothing() -> None:
    detector = RateDetector().after(1, 1, 0.02)
    assert detector.after(0, 0, 0.02) == detector
    assert detector.after(3, 3, 1.0) == detector
