"""How the rate of requests changes over a load test, and the times at which they are due.

The load is open: requests are due by a Poisson process whose rate follows the shape, whatever comes
back. Locust's own `LoadTestShape` counts users who wait for their answers; a service that stalls
then sees fewer requests, and the stall is in few latencies (G. Tene, "How NOT to measure latency":
coordinated omission).
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

Rate = Annotated[float, Field(gt=0, le=1_000_000, description="Requests a second.")]
Share = Annotated[float, Field(ge=0, le=1, description="Part of the scenario's length.")]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Steady(_Shape):
    """The same rate all the time."""

    kind: Literal["steady"]
    rate_rps: Rate

    @property
    def most_rps(self) -> float:
        """The highest rate."""
        return self.rate_rps

    def rate_at(self, _part: float) -> float:
        """Returns the rate at a part of the length, 0 to 1."""
        return self.rate_rps


class Ramp(_Shape):
    """From one rate to another, evenly."""

    kind: Literal["ramp"]
    from_rps: Rate
    to_rps: Rate

    @property
    def most_rps(self) -> float:
        """The highest rate."""
        return max(self.from_rps, self.to_rps)

    def rate_at(self, part: float) -> float:
        """Returns the rate at a part of the length, 0 to 1."""
        return self.from_rps + (self.to_rps - self.from_rps) * part


class Spike(_Shape):
    """A base rate, and a higher one for a while."""

    kind: Literal["spike"]
    base_rps: Rate
    peak_rps: Rate
    begins_at: Share = 1 / 3
    ends_at: Share = 2 / 3

    @property
    def most_rps(self) -> float:
        """The highest rate."""
        return max(self.base_rps, self.peak_rps)

    def rate_at(self, part: float) -> float:
        """Returns the rate at a part of the length, 0 to 1."""
        return self.peak_rps if self.begins_at <= part < self.ends_at else self.base_rps


class Diurnal(_Shape):
    """Days pressed into the length: the rate goes from night to noon and back as a cosine."""

    kind: Literal["diurnal"]
    night_rps: Rate
    noon_rps: Rate
    days: Annotated[float, Field(gt=0, le=1000, description="Days in the length.")] = 1.0

    @property
    def most_rps(self) -> float:
        """The highest rate."""
        return max(self.night_rps, self.noon_rps)

    def rate_at(self, part: float) -> float:
        """Returns the rate at a part of the length, 0 to 1; it begins at midnight."""
        noon = (1 - math.cos(2 * math.pi * self.days * part)) / 2
        return self.night_rps + (self.noon_rps - self.night_rps) * noon


Shape = Annotated[Steady | Ramp | Spike | Diurnal, Field(discriminator="kind")]

_WHOLE: Final = 1.0


def due_times(
    shape: Steady | Ramp | Spike | Diurnal, duration_s: float, seed: str, share: float = _WHOLE
) -> Iterator[float]:
    """Yields when requests are due, by thinning (Lewis and Shedler, 1979).

    Args:
        shape: of the rate.
        duration_s: length of the scenario.
        seed: the same seed gives the same times.
        share: of the rate that this sender sends. Independent senders of a Poisson process each
            make a smaller one.

    Yields:
        Seconds from the begin, ascending.
    """
    chance = random.Random(seed)  # noqa: S311  # a schedule, no secret
    most_rps = shape.most_rps * share
    at_s = 0.0
    while (at_s := at_s + chance.expovariate(most_rps)) < duration_s:
        if chance.random() * shape.most_rps < shape.rate_at(at_s / duration_s):
            yield at_s
