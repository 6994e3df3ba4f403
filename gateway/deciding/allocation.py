"""Sample ratio mismatch: do the arms have as many units as their weights say?

Where they have not, something loses units of one arm, and every other comparison is of different
people. The sequential multinomial test of Lindon and Malek ("Anytime-valid inference for
multinomial count data", 2022): it may be looked at after every unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONCENTRATION: Final = 100.0
"""How close to the weights the alternatives are that the test looks for; any value is valid."""


@dataclass(frozen=True, slots=True)
class AllocationCheck:
    """The check, now.

    Attributes:
        units: by arm, as many as were seen.
        shares: by arm, as the weights say.
        log_evidence: against the shares.
        level: probability that a right allocation ever raises the alarm.
    """

    units: Mapping[str, int]
    shares: Mapping[str, float]
    log_evidence: float
    level: float

    @property
    def is_mismatch(self) -> bool:
        """Whether the units are not split as the weights say."""
        return self.log_evidence >= math.log(1 / self.level)


def check_allocation(
    units: Mapping[str, int], shares: Mapping[str, float], *, sightings: int, level: float
) -> AllocationCheck:
    """Checks.

    Args:
        units: by arm.
        shares: by arm; they add up to 1.
        sightings: how often a unit may have been counted at most: once by each process that counts.
            A likelihood ratio to a power below 1 is still one that cannot grow by chance (Jensen),
            so each sighting counts as that part of a unit.
        level: probability that a right allocation ever raises the alarm.
    """
    drawn = {arm: share for arm, share in shares.items() if share > 0}
    if len(drawn) < 2:
        return AllocationCheck(units, shares, 0.0, level)
    counts = {arm: units.get(arm, 0) / max(1, sightings) for arm in drawn}
    total = sum(counts.values())
    log_evidence = math.lgamma(_CONCENTRATION) - math.lgamma(_CONCENTRATION + total)
    for arm, share in drawn.items():
        prior = _CONCENTRATION * share
        log_evidence += math.lgamma(prior + counts[arm]) - math.lgamma(prior)
        log_evidence -= counts[arm] * math.log(share)
    return AllocationCheck(units, shares, log_evidence, level)
