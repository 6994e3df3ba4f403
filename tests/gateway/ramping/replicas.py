"""Replicas as far as ramps go, on one real database, with a clock that a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from sqlalchemy import select

from gateway.ramping.admin import RampAdmin
from gateway.ramping.controller import RampController, process_name
from gateway.ramping.fuse import Fuse
from gateway.ramping.leader import RampLeader
from gateway.ramping.lease import Lease
from gateway.ramping.record import read_ramp
from gateway.routing.plan import Draw
from gateway.routing.reason import Reason
from gateway.storage.database import Database
from gateway.storage.ramp_tables import RampDecision
from gateway.storage.tables import Feedback
from gateway.tallies.recorder import TallyRecorder
from gateway.telemetry.metrics import Metrics
from gateway.traffic.audit import Actor
from gateway.traffic.ledger import Ledger
from gateway.traffic.live import LiveTraffic
from tests.gateway.routing.traffic import experiment

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from gateway.ramping.admin import Command
    from gateway.ramping.record import RampRecord
    from gateway.routing.definitions import ExperimentDefinition

OPS = Actor("ops", "r1")
RAMP: dict[str, Any] = {
    "steps": [10, 50, 100],
    "min_dwell_s": 3,
    "min_requests": 5,
    "min_outcomes": 20,
    "margin": 0.1,
}


def ramped(**changes: Any) -> ExperimentDefinition:  # noqa: ANN401 - as in a file
    """Makes an experiment of `demo` and `other` with a ramp."""
    return experiment(ramp={**RAMP, **changes})


@dataclass
class Clock:
    """Monotonic seconds that a test moves."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Replica:
    """One process."""

    url: str
    clock: Clock
    held_back: list[frozenset[tuple[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = Database(self.url)
        self.metrics = Metrics(CollectorRegistry())
        self.live = LiveTraffic(None, self.database, self.metrics.traffic, 1.0)
        self.recorder = TallyRecorder()
        process = process_name()
        self.lease = Lease(process, self.clock)
        self.leader = RampLeader(
            self.database,
            self.live,
            self.lease,
            dict,
            self.metrics.ramps,
            clock=self.clock,
            now=lambda: datetime.now(UTC),
        )
        self.controller = RampController(
            self.database,
            self.recorder,
            self.live,
            self.leader,
            Fuse(self.held_back.append),
            self.metrics.ramps,
            process=process,
            now=lambda: datetime.now(UTC),
        )

    async def command(self, command: Command) -> RampRecord:
        return await RampAdmin(self.database, self.live).command("heads", command, OPS)

    async def look(self, times: int = 1) -> None:
        """Looks each second."""
        for _ in range(times):
            self.clock.now_s += 1
            await self.live.refresh()
            await self.controller.look()

    def serve(self, arm: str, count: int, outcome: str = "ok") -> None:
        """Answers so many units of an arm."""
        plan = self.live.in_force.traffic.plan.experiments[0]
        for n in range(count):
            draw = Draw(
                "heads",
                arm,
                Reason.ASSIGNED,
                is_sticky=True,
                revision=plan.revision,
                share=plan.definition.share_of(arm),
                drawn_for=f"{arm}-{self.clock.now_s}-{n}",
            )
            self.recorder.observe(draw, arm, outcome, 0.05 if outcome == "ok" else None)

    async def put(self, definition: ExperimentDefinition) -> None:
        """Writes a rule by hand."""

        def work(session: Session) -> None:
            Ledger(session, self.live.file, OPS, datetime.now(UTC)).put(definition, "put")

        await self.database.write(work)
        await self.live.refresh()

    async def ramp(self) -> RampRecord:
        record = await self.database.read(lambda session: read_ramp(session, "heads"))
        assert record is not None
        return record

    async def decisions(self) -> list[RampDecision]:
        return await self.database.read(
            lambda session: list(session.scalars(select(RampDecision).order_by(RampDecision.id)))
        )

    def share(self) -> float:
        """Of the candidate, as this replica draws."""
        return self.live.in_force.traffic.plan.experiments[0].definition.share_of("other")


async def label(replica: Replica, arm: str, correct: int, count: int) -> None:
    """Adds labelled predictions that were made just now under the weights in force."""
    revision = replica.live.in_force.traffic.plan.experiments[0].revision
    now = datetime.now(UTC)

    def work(session: Session) -> None:
        for n in range(count):
            session.add(feedback(arm, revision, n < correct, now, n))

    await replica.database.write(work)


_serial = iter(range(10**9))


def feedback(arm: str, revision: str, is_correct: bool, at: datetime, n: int) -> Feedback:
    """Makes a row as the intake writes it."""
    return Feedback(
        prediction_key=f"{next(_serial):032x}",
        task="",
        variant=arm,
        digest="0" * 16,
        modalities="both",
        reason="assigned",
        experiment="heads",
        revision=revision,
        layer="default",
        arm=arm,
        propensity=0.5,
        unit=f"{n:016x}",
        predicted_at=at,
        kind="one",
        predicted="food",
        confidence=0.9,
        confidence_bin=13,
        label="food" if is_correct else "animal",
        is_correct=is_correct,
        weight=1.0,
        labelled_at=at,
        recorded_at=at,
        version=1,
        actor="shop",
    )
