"""Guards a ramp in one process alone, while the database is away and nobody can roll it back.

The process then knows its own requests only. Those are enough to see that a candidate is broken,
and to keep it from this process's traffic until the database is back and the leader sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.deciding.guardrails import ArmCounts, RateGuard
from gateway.ramping.evidence import counted_of
from gateway.ramping.state import growth
from gateway.tallies.stored import ArmFigures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.ramping.record import RampRecord
    from gateway.tallies.tally import Tally, TallyKey

Arm = tuple[str, str]
"""Experiment and variant."""


class Fuse:
    """The guard of one process; forgets all when the database is back.

    Args:
        hold_back: keeps arms, by experiment and variant, from this process's traffic.
    """

    def __init__(self, hold_back: Callable[[frozenset[Arm]], None]) -> None:
        self._hold_back = hold_back
        self._guards: dict[str, RateGuard] = {}
        self._counted: dict[str, Mapping[str, ArmCounts]] = {}
        self._blown: frozenset[Arm] = frozenset()

    def reset(self) -> None:
        """Lets all back."""
        self._guards.clear()
        self._counted.clear()
        self._blown = frozenset()
        self._hold_back(self._blown)

    def look(
        self, records: Sequence[RampRecord], tallies: Mapping[TallyKey, Tally]
    ) -> frozenset[Arm]:
        """Looks at what this process has counted since the database went away.

        Args:
            records: ramps under way, as they were read last.
            tallies: of this process.

        Returns:
            Experiment and candidate of those that this look keeps from traffic.
        """
        before = self._blown
        for record in records:
            self._look_at(record, tallies)
        self._hold_back(self._blown)
        return self._blown - before

    def _look_at(self, record: RampRecord, tallies: Mapping[TallyKey, Tally]) -> None:
        name, policy = record.experiment, record.policy
        own = {
            key: ArmFigures(tally, 1) for key, tally in tallies.items() if key.experiment == name
        }
        totals = counted_of(own, "", policy.guardrails.max_p99_ms).totals
        known = self._counted.get(name, totals)
        self._counted[name] = totals
        nothing = ArmCounts()
        guard = self._guards.get(name, RateGuard()).after(
            growth(totals.get(policy.control, nothing), known.get(policy.control, nothing)),
            growth(totals.get(policy.candidate, nothing), known.get(policy.candidate, nothing)),
            record.share,
            policy.guardrails,
        )
        self._guards[name] = guard
        if guard.breaches(record.share, policy.guardrails):
            self._blown |= {(name, policy.candidate)}
