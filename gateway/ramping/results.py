"""The answer to "is B better?": everything known of one experiment, from all replicas.

Where there is no database or it is away, this process's own counts are all there is; what that
leaves out is said, not shown as zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway.deciding.accuracy import compare
from gateway.deciding.allocation import check_allocation
from gateway.deciding.calibration import calibration_error
from gateway.errors import StorageOutdatedError, StorageUnavailableError
from gateway.ramping.evidence import counted_of
from gateway.ramping.outcomes import ReadOutcomes, Scope, read_outcomes
from gateway.ramping.record import read_decisions, read_ramp
from gateway.routing.ramp_definition import RampDefinition
from gateway.tallies.stored import ArmFigures, read_tallies
from gateway.tallies.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.orm import Session

    from gateway.deciding.accuracy import AccuracyTest
    from gateway.deciding.allocation import AllocationCheck
    from gateway.deciding.calibration import CalibrationError
    from gateway.ramping.record import RampRecord
    from gateway.routing.plan import Experiment
    from gateway.storage.database import Database
    from gateway.storage.ramp_tables import RampDecision
    from gateway.tallies.recorder import TallyRecorder
    from gateway.tallies.tally import TallyKey

MAX_DECISIONS: Final = 100
_KEPT_S: Final = 1.0
_KEPT_PART: Final = 20.0
"""Results are read again after this many times as long as reading them took: nobody who asks often
keeps the database busy."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database has of an experiment."""

    tallies: Mapping[TallyKey, ArmFigures]
    outcomes: ReadOutcomes
    ramp: RampRecord | None
    decisions: Sequence[RampDecision]


@dataclass(frozen=True, slots=True)
class ExperimentResults:
    """All that is known.

    Attributes:
        experiment: it.
        declared: its ramp, or that of an experiment that declares none.
        tallies: of each arm, over all revisions.
        comparisons: by arm: with the control.
        calibration: by arm.
        allocation: of units to arms in the revision that is in force.
        stored: what the database has; None: it has nothing to say.
        fault: why not: the code of an error; None when it has.
    """

    experiment: Experiment
    declared: RampDefinition
    tallies: Mapping[str, Tally]
    comparisons: Mapping[str, AccuracyTest]
    calibration: Mapping[str, CalibrationError]
    allocation: AllocationCheck
    stored: Stored | None
    fault: str | None


@dataclass(slots=True)
class _Kept:
    stored: Stored
    until_s: float


@dataclass(slots=True)
class ResultsReader:
    """Reads results.

    Attributes:
        database: the store, or None.
        recorder: this process's own counts.
        clock: returns seconds, monotonic.
    """

    database: Database | None
    recorder: TallyRecorder
    clock: Callable[[], float]
    _kept: dict[str, _Kept] = field(default_factory=dict)

    async def read(self, experiment: Experiment) -> ExperimentResults:
        """Returns what is known of an experiment; a database that is away is part of that."""
        declared = experiment.definition.ramp or RampDefinition()
        if self.database is None:
            return self._without_store(experiment, declared, "storage_not_configured")
        try:
            stored = await self._stored(self.database, experiment, declared)
        except (StorageUnavailableError, StorageOutdatedError) as error:
            return self._without_store(experiment, declared, error.code)
        return _results(experiment, declared, stored.tallies, stored, None)

    async def _stored(
        self, database: Database, experiment: Experiment, declared: RampDefinition
    ) -> Stored:
        name, now_s = experiment.name, self.clock()
        kept = self._kept.get(name)
        if kept is not None and now_s < kept.until_s:
            return kept.stored

        def work(session: Session) -> Stored:
            ramp = read_ramp(session, name)
            since = None if ramp is None else ramp.started_at
            return Stored(
                read_tallies(session, name),
                read_outcomes(session, Scope(name, declared.task, since)),
                ramp,
                read_decisions(session, name, limit=MAX_DECISIONS),
            )

        stored = await database.read(work)
        took_s = self.clock() - now_s
        self._kept[name] = _Kept(stored, now_s + max(_KEPT_S, _KEPT_PART * took_s))
        return stored

    def _without_store(
        self, experiment: Experiment, declared: RampDefinition, fault: str
    ) -> ExperimentResults:
        own = {
            key: ArmFigures(tally, 1)
            for key, tally in self.recorder.tallies().items()
            if key.experiment == experiment.name
        }
        return _results(experiment, declared, own, None, fault)


def _results(
    experiment: Experiment,
    declared: RampDefinition,
    figures: Mapping[TallyKey, ArmFigures],
    stored: Stored | None,
    fault: str | None,
) -> ExperimentResults:
    definition = experiment.definition
    tallies: dict[str, Tally] = {}
    for key, found in figures.items():
        share = definition.share_of(key.arm) if key.arm in definition.arms else 0.0
        tallies.setdefault(key.arm, Tally(share)).add(found.tally)
    counted = counted_of(figures, experiment.revision, declared.guardrails.max_p99_ms)
    others = [arm for arm in definition.arms if arm != definition.control]
    outcomes = ReadOutcomes({}, {}) if stored is None else stored.outcomes
    # Several arms are several chances to err: each gets a part (Bonferroni).
    level = declared.level / max(1, len(others))
    return ExperimentResults(
        experiment=experiment,
        declared=declared,
        tallies=tallies,
        comparisons={
            arm: compare(
                outcomes.strata(definition.control, arm), scale=declared.margin, level=level
            )
            for arm in others
        },
        calibration={
            arm: calibration_error(outcomes.bins_of(arm), level=declared.level)
            for arm in definition.arms
        },
        allocation=check_allocation(
            counted.units,
            {arm: definition.share_of(arm) for arm in definition.arms},
            sightings=counted.processes,
            level=declared.allocation_level,
        ),
        stored=stored,
        fault=fault,
    )
