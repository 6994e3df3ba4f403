"""How far an arm's confidences are from how often it is right, with a bound that always holds.

Expected calibration error over fixed bins (Naeini et al. 2015). Its estimate is above 0 even for a
perfectly calibrated arm; what counts is what it is at least, by a confidence sequence in each bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.deciding.sequence import half_width

if TYPE_CHECKING:
    from gateway.deciding.outcomes import ConfidenceBins

_SCALE: Final = 0.1
_LARGEST_VARIANCE: Final = 0.25  # of a coin, and no gap of a bin varies more


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """Of one arm, now.

    Attributes:
        estimate: expected calibration error, 0 to 1; None without labelled predictions.
        at_least: what it is at least, at every moment.
    """

    estimate: float | None
    at_least: float


def calibration_error(bins: ConfidenceBins, *, level: float) -> CalibrationError:
    """Returns the calibration error of an arm.

    Args:
        bins: its labelled predictions.
        level: probability that `at_least` is ever too high, 0 to 1.
    """
    total = sum(bins.weights)
    if not total:
        return CalibrationError(None, 0.0)
    estimate, at_least = 0.0, 0.0
    for weight, squares, gap in zip(bins.weights, bins.squared_weights, bins.gaps, strict=True):
        if not weight:
            continue
        distance = abs(gap) / weight
        variance = _LARGEST_VARIANCE * squares / weight**2
        reach = half_width(variance, _SCALE, level / len(bins.weights))
        estimate += weight / total * distance
        at_least += weight / total * max(0.0, distance - reach)
    return CalibrationError(estimate, at_least)
