"""What the leader does with one ramp at one look."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.deciding.policy import LOOK_S
from gateway.deciding.ramp import Action, look
from gateway.ramping.evidence import evidence_of, read_counted
from gateway.ramping.outcomes import ReadOutcomes, Scope, read_outcomes
from gateway.ramping.record import has_share
from gateway.ramping.state import Status
from gateway.ramping.transitions import LEADER, Desk, apply, pause_changed
from gateway.telemetry.logs import log_event
from gateway.traffic.audit import Actor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from gateway.ramping.evidence import Counted
    from gateway.ramping.lease import Lease
    from gateway.ramping.record import RampRecord
    from gateway.routing.plan import Experiment
    from gateway.storage.database import Database
    from gateway.telemetry.ramp_metrics import RampMetrics
    from gateway.traffic.live import LiveTraffic

_LOG: Final = logging.getLogger(__name__)
_LONGEST_LOOK_S: Final = 5.0 * LOOK_S
"""A longer pause between two looks was not watched, and is not counted as dwelling."""

_OUTCOMES_PART: Final = 20.0
"""Labelled predictions are read again after this many times as long as reading them took."""

_OUTCOMES_S: Final = 2.0


@dataclass(slots=True)
class _Memory:
    """What the leader keeps of a ramp between two looks.

    Attributes:
        version: of the ramp; another one is looked at as if it were new.
        looked_s: when, monotonic.
        outcomes: as they were read last.
        read_again_s: when they are to be read again, monotonic.
    """

    version: int
    looked_s: float
    outcomes: ReadOutcomes
    read_again_s: float


class RampLeader:
    """Looks at ramps, with a lease that every transaction checks.

    Args:
        database: the store.
        live: what is in force.
        lease: of this process.
        gates: returns why arms get no traffic, by experiment and arm.
        metrics: hear of decisions.
        clock: returns seconds, monotonic.
        now: returns the time of day.
    """

    def __init__(  # noqa: PLR0913 - collaborators
        self,
        database: Database,
        live: LiveTraffic,
        lease: Lease,
        gates: Callable[[], Mapping[tuple[str, str], str]],
        metrics: RampMetrics,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._live = live
        self.lease = lease
        self._gates = gates
        self._metrics = metrics
        self._clock = clock
        self._now = now
        self._memories: dict[str, _Memory] = {}

    async def look_at(self, record: RampRecord) -> bool:
        """Looks at one ramp and does what follows.

        Returns:
            Whether traffic was changed.

        Raises:
            StorageUnavailableError: the evidence cannot be read, or nothing written: the ramp
                stands still. Further as `Database.write` does.
        """
        experiment = self._experiment(record.experiment)
        is_as_set = experiment is not None and has_share(experiment.definition, record)
        if not is_as_set and record.status is Status.RUNNING:
            return await self._pause_changed(record)
        if experiment is None:
            return False
        memory = await self._remember(record)
        counted = await self._database.read(
            lambda session: read_counted(
                session,
                record.experiment,
                experiment.revision,
                record.policy.guardrails.max_p99_ms,
            )
        )
        return await self._decide(record, counted, memory)

    def forget(self) -> None:
        """Forgets all that was kept; to be called when another process leads."""
        self._memories.clear()

    def _experiment(self, name: str) -> Experiment | None:
        for each in self._live.in_force.traffic.plan.experiments:
            if each.name == name:
                return each
        return None

    async def _remember(self, record: RampRecord) -> _Memory:
        memory = self._memories.get(record.experiment)
        now_s = self._clock()
        if memory is not None and memory.version == record.version:
            if now_s < memory.read_again_s:
                return memory
            looked_s = memory.looked_s
        else:
            looked_s = now_s
        scope = Scope(record.experiment, record.task, record.started_at)
        outcomes = await self._database.read(lambda session: read_outcomes(session, scope))
        took_s = self._clock() - now_s
        again_s = now_s + max(_OUTCOMES_S, _OUTCOMES_PART * took_s)
        memory = _Memory(record.version, looked_s, outcomes, again_s)
        self._memories[record.experiment] = memory
        return memory

    async def _decide(self, record: RampRecord, counted: Counted, memory: _Memory) -> bool:
        now_s = self._clock()
        elapsed_s = now_s - memory.looked_s
        memory.looked_s = now_s
        found = look(
            record.policy,
            record.state.ramp,
            evidence_of(
                record,
                counted,
                memory.outcomes,
                elapsed_s=elapsed_s if elapsed_s <= _LONGEST_LOOK_S else 0.0,
                gate=self._gates().get((record.experiment, record.policy.candidate)),
            ),
        )

        def work(session: Session) -> bool:
            desk = self._desk(session)
            return desk is not None and apply(desk, record, found, counted.totals)

        is_written = await self._database.write(work)
        if not is_written or found.action is Action.HOLD:
            return False
        self._report(record, found.action, found.reasons)
        return True

    async def _pause_changed(self, record: RampRecord) -> bool:
        def work(session: Session) -> str | None:
            desk = self._desk(session)
            return None if desk is None else pause_changed(desk, record)

        reason = await self._database.write(work)
        if reason is not None:
            self._report(record, Action.PAUSE, (reason,))
        return reason is None  # then what is in force here is not what is stored: look at that

    def _desk(self, session: Session) -> Desk | None:
        if not self.lease.hold(session):
            return None
        token = self.lease.token
        actor = Actor(LEADER, f"{LEADER}-{token}")
        return Desk(session, self._live.file, actor, self._now(), token)

    def _report(self, record: RampRecord, action: Action, reasons: tuple[str, ...]) -> None:
        self._metrics.count_decision(record.experiment, action, reasons)
        log_event(
            _LOG,
            logging.WARNING if action in {Action.ROLL_BACK, Action.PAUSE} else logging.INFO,
            "ramp_decided",
            experiment=record.experiment,
            action=action,
            reasons=list(reasons),
            step=record.state.ramp.step,
        )
