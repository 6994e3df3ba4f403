"""Watches a rate for ever, and says within few events that it has risen above what it may be.

A CUSUM e-detector (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential
change detection", 2023) for Bernoulli events: at each look, the likelihood ratio of several rates
above the bound grows by what is new, and starts anew where it had fallen below 1. What was good
yesterday does not delay the alarm today. While the rate is at most the bound, the mean time to a
false alarm is at least `1 / threshold` looks, whatever the rate does below it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALTERNATIVES: Final = 12
_NEAREST_LOGIT: Final = 0.4  # odds of half as much again
_LARGEST_RATE: Final = 0.995
_CEILING: Final = 30.0
"""Above every threshold. Evidence does not pile up beyond it: what has ended is soon seen so."""


@dataclass(frozen=True, slots=True)
class RateDetector:
    """The state; a value.

    Attributes:
        log_ratios: of each alternative, in the order of `_growth`.
    """

    log_ratios: tuple[float, ...] = (0.0,) * _ALTERNATIVES

    @property
    def log_evidence(self) -> float:
        """Of the mixture of all alternatives, compare with the logarithm of mean looks."""
        return float(np.logaddexp.reduce(self.log_ratios) - math.log(len(self.log_ratios)))

    def after(self, events: int, trials: int, bound: float) -> RateDetector:
        """Returns the state after a look.

        Args:
            events: new ones.
            trials: new ones, events among them.
            bound: largest rate that is no alarm, 0 to 1; 1 makes the look one that says nothing.
        """
        if not trials or bound >= _LARGEST_RATE:
            return self
        of_event, of_other = _growth(bound)
        growth = events * of_event + (trials - events) * of_other
        ratios = np.minimum(np.maximum(self.log_ratios, 0.0) + growth, _CEILING)
        return RateDetector(tuple(ratios.tolist()))


@lru_cache(maxsize=256)
def _growth(bound: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns by how much an event, and a trial without one, moves each alternative's log ratio.

    Alternatives are rates above the bound, evenly spaced in the logarithm of the odds.
    """
    low = math.log(bound / (1 - bound)) + _NEAREST_LOGIT
    high = max(math.log(_LARGEST_RATE / (1 - _LARGEST_RATE)), low + 1.0)
    odds = np.exp(np.linspace(low, high, _ALTERNATIVES))
    rates = odds / (1 + odds)
    return np.asarray(np.log(rates / bound)), np.asarray(np.log((1 - rates) / (1 - bound)))
