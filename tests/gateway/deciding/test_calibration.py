from __future__ import annotations

import numpy as np
import pytest

from gateway.deciding.calibration import calibration_error
from gateway.deciding.outcomes import ConfidenceBins


def bins(count: int, *, confidence: float, accuracy: float) -> ConfidenceBins:
    is_right = np.arange(count) < round(accuracy * count)
    return ConfidenceBins.of_predictions(np.full(count, confidence), is_right)


def test_calibrated_arm_has_no_error_that_is_proved() -> None:
    error = calibration_error(bins(1000, confidence=0.9, accuracy=0.9), level=0.05)
    assert error.estimate == pytest.approx(0.0, abs=1e-9)
    assert error.at_least == 0.0


def test_overconfidence_is_proved_by_some_hundred_labels_and_not_by_ten() -> None:
    few = calibration_error(bins(10, confidence=0.99, accuracy=0.5), level=0.05)
    many = calibration_error(bins(400, confidence=0.99, accuracy=0.5), level=0.05)
    assert few.at_least == 0.0
    assert 0.3 < many.at_least < 0.49


def test_too_modest_counts_as_much_as_too_sure() -> None:
    error = calibration_error(bins(1000, confidence=0.6, accuracy=0.95), level=0.05)
    assert error.at_least > 0.2
    assert error.estimate == pytest.approx(0.35)


def test_no_labels_say_nothing() -> None:
    error = calibration_error(bins(0, confidence=0.9, accuracy=0.9), level=0.05)
    assert (error.estimate, error.at_least) == (None, 0.0)
