"""What happens while it is recorded: load by the minute, and a Triton that is killed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from loadtest.overload.open_loop import Stretch

_STEP_S: Final = 10.0


@dataclass(frozen=True)
class Scenario:
    """One of the recordings.

    Attributes:
        name: of its file.
        stretches: the load.
        outage_s: from when to when one Triton of the GPU pool is gone, in seconds from the begin.
    """

    name: str
    stretches: tuple[Stretch, ...]
    outage_s: tuple[float, float] | None = None

    @property
    def duration_s(self) -> float:
        """Length of the load."""
        return sum(each.duration_s for each in self.stretches)


def _ramp(first_rps: float, last_rps: float, duration_s: float) -> tuple[Stretch, ...]:
    steps = round(duration_s / _STEP_S)
    rise = (last_rps - first_rps) / max(1, steps - 1)
    return tuple(Stretch(first_rps + rise * number, _STEP_S) for number in range(steps))


SCENARIOS: Final = (
    Scenario("idle", (Stretch(0.2, 240.0),)),
    # Two Tritons of the GPU pool do 25 requests a second each.
    Scenario("ramp", (*_ramp(1.0, 60.0, 300.0), Stretch(60.0, 60.0), Stretch(0.2, 120.0))),
    Scenario("spike", (Stretch(8.0, 60.0), Stretch(120.0, 60.0), Stretch(8.0, 180.0))),
    Scenario("partial-outage", (Stretch(30.0, 300.0),), outage_s=(60.0, 210.0)),
)
"""In the order in which they are recorded."""
