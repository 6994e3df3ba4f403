"""What a ramp's row holds besides its columns, as JSON, so that any replica can go on with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from gateway.deciding.detector import RateDetector
from gateway.deciding.guardrails import ArmCounts, Guardrail, RateGuard, RateWatch
from gateway.deciding.ramp import RampState

if TYPE_CHECKING:
    from collections.abc import Mapping


class Status(StrEnum):
    """Where a ramp is."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"


UNDER_WAY = frozenset({Status.RUNNING, Status.PAUSED})


@dataclass(frozen=True, slots=True)
class StoredState:
    """A ramp's state, and how far the tallies were counted in it.

    Attributes:
        ramp: the state.
        counted: of each arm, over all processes and revisions, at the last look.
    """

    ramp: RampState = RampState()  # noqa: RUF009 - a frozen value
    counted: Mapping[str, ArmCounts] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON."""
        guard = self.ramp.guard
        return {
            "step": self.ramp.step,
            "watched_s": self.ramp.watched_s,
            "control": asdict(guard.control),
            "candidate": asdict(guard.candidate),
            "watches": {
                rail.value: {
                    "against_bound": list(watch.against_bound.log_ratios),
                    "against_control": list(watch.against_control.log_ratios),
                }
                for rail, watch in guard.watches.items()
            },
            "counted": {arm: asdict(counts) for arm, counts in self.counted.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Reads what `to_json` wrote."""
        watches = {
            Guardrail(rail): RateWatch(
                RateDetector(tuple(watch["against_bound"])),
                RateDetector(tuple(watch["against_control"])),
            )
            for rail, watch in value["watches"].items()
        }
        guard = RateGuard(watches, ArmCounts(**value["control"]), ArmCounts(**value["candidate"]))
        return cls(
            RampState(value["step"], value["watched_s"], guard),
            {arm: ArmCounts(**counts) for arm, counts in value["counted"].items()},
        )


def growth(now: ArmCounts, before: ArmCounts) -> ArmCounts:
    """Returns what came between two readings of sums that only grow.

    Old tallies may have been deleted in between: nothing is new then.
    """
    grown = {name: value - getattr(before, name) for name, value in asdict(now).items()}
    return ArmCounts() if min(grown.values()) < 0 else ArmCounts(**grown)
