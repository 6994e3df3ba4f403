"""A service whose best setting is known: what it sustains is a formula of its settings."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporters.recipe_sections import TargetRecipe
from loadtest.tuning.measuring import Attempt, Measurement, find_rate

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_MS = 500.0
BEST = TargetRecipe(
    image_instances=1, image_threads=2, image_batch=2, text_batch=8, text_delay_us=1000
)


def formula_rps(candidate: TargetRecipe) -> float:
    """100 a second at `BEST`, and less the further a setting is from it."""
    rate_rps = 100.0
    # Processes and threads depend on each other: either alone makes nothing better.
    if (candidate.image_instances, candidate.image_threads) != (1, 2):
        rate_rps *= 0.85
    for key, loss in (("image_batch", 0.88), ("text_batch", 0.9), ("text_delay_us", 0.92)):
        if getattr(candidate, key) != getattr(BEST, key):
            rate_rps *= loss
    return rate_rps


@dataclass
class SimulatedMeasure:
    """Measures by the formula.

    Attributes:
        noise_ratio: standard deviation of what a measurement is off by.
        drift_ratio: how much of its speed the machine keeps from one measurement to the next.
        sustained_rps: the formula.
        count: of measurements so far.
        chance: of the noise.
    """

    noise_ratio: float = 0.0
    drift_ratio: float = 1.0
    sustained_rps: Callable[[TargetRecipe], float] = formula_rps
    count: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def __call__(self, candidate: TargetRecipe, why: str) -> Measurement:
        sustained_rps = self.sustained_rps(candidate) * self.drift_ratio**self.count
        sustained_rps *= 1 + self.chance.gauss(0, self.noise_ratio)
        self.count += 1

        def attempt(rate_rps: float) -> Attempt:
            p99_ms = 100.0 / max(0.01, 1 - rate_rps / sustained_rps / 1.25)
            return Attempt(rate_rps, p99_ms / 4, p99_ms, is_kept=p99_ms < LIMIT_MS)

        return Measurement(candidate, why, find_rate(attempt, 50.0, 10))
