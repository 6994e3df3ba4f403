"""Puts together what a look needs: tallies of all replicas, labelled predictions, the gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.deciding.guardrails import ArmCounts
from gateway.deciding.ramp import Evidence
from gateway.ramping.state import Status, growth
from gateway.tallies.stored import read_tallies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from gateway.ramping.outcomes import ReadOutcomes
    from gateway.ramping.record import RampRecord
    from gateway.tallies.stored import ArmFigures
    from gateway.tallies.tally import TallyKey


@dataclass(frozen=True, slots=True)
class Counted:
    """The tallies of one experiment, as a ramp reads them.

    Attributes:
        totals: of each arm, over all processes and revisions.
        units: by arm, in the revision that is in force.
        processes: how many have counted in it.
    """

    totals: Mapping[str, ArmCounts]
    units: Mapping[str, int]
    processes: int


def read_counted(session: Session, experiment: str, revision: str, slow_ms: float) -> Counted:
    """Reads the tallies of an experiment.

    Args:
        session: of the store.
        experiment: its name.
        revision: that is in force.
        slow_ms: good answers that took longer are slow.
    """
    return counted_of(read_tallies(session, experiment), revision, slow_ms)


def counted_of(figures: Mapping[TallyKey, ArmFigures], revision: str, slow_ms: float) -> Counted:
    """Adds up tallies. Arguments as `read_counted`."""
    totals: dict[str, ArmCounts] = {}
    units: dict[str, int] = {}
    processes = 1
    for key, found in figures.items():
        totals[key.arm] = totals.get(key.arm, ArmCounts()) + found.tally.counts(slow_ms)
        if key.revision == revision:
            units[key.arm] = found.tally.units
            processes = max(processes, found.processes)
    return Counted(totals, units, processes)


def evidence_of(
    record: RampRecord,
    counted: Counted,
    outcomes: ReadOutcomes,
    *,
    elapsed_s: float,
    gate: str | None,
) -> Evidence:
    """Returns what a look needs.

    Args:
        record: the ramp.
        counted: its tallies now.
        outcomes: labelled predictions.
        elapsed_s: since the look before, in seconds.
        gate: why the candidate may not serve, or None.
    """
    control, candidate = record.policy.control, record.policy.candidate
    nothing = ArmCounts()

    def new(arm: str) -> ArmCounts:
        now = counted.totals.get(arm, nothing)
        return growth(now, record.state.counted.get(arm, nothing))

    return Evidence(
        elapsed_s=0.0 if record.status is Status.PAUSED else elapsed_s,
        control=new(control),
        candidate=new(candidate),
        strata=outcomes.strata(control, candidate),
        control_bins=outcomes.bins_of(control),
        candidate_bins=outcomes.bins_of(candidate),
        units=counted.units,
        sightings=counted.processes,
        gate=gate,
        is_paused=record.status is Status.PAUSED,
    )
