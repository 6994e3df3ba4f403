"""The tables of ramps: what each arm did, where each ramp is, what was decided, and who leads."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.storage.base import Base


class ArmTally(Base):
    """All that one process has counted of one arm; see `gateway.tallies.tally`.

    Attributes:
        process: a random name that lives as long as the process.
        latency: good answers by bucket.
    """

    __tablename__ = "arm_tallies"
    __table_args__ = (Index("ix_arm_tallies_experiment", "experiment"),)

    process: Mapped[str] = mapped_column(String(32), primary_key=True)
    experiment: Mapped[str] = mapped_column(String(63), primary_key=True)
    revision: Mapped[str] = mapped_column(String(8), primary_key=True)
    arm: Mapped[str] = mapped_column(String(63), primary_key=True)
    share: Mapped[float] = mapped_column(Float)
    units: Mapped[int] = mapped_column(BigInteger)
    failed_units: Mapped[int] = mapped_column(BigInteger)
    answers: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(BigInteger)
    shed: Mapped[int] = mapped_column(BigInteger)
    latency: Mapped[dict[str, int]] = mapped_column(JSON)
    updated_at: Mapped[datetime]


class Lease(Base):
    """Which replica may do what only one may do.

    Attributes:
        holder: process that holds it; None: free.
        token: one more with each holder; what an earlier holder does is refused by it.
        beat: moves while the holder lives. No clock is compared between machines.
    """

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str | None] = mapped_column(String(32))
    token: Mapped[int] = mapped_column(BigInteger)
    beat: Mapped[int] = mapped_column(BigInteger)


class Ramp(Base):
    """Where the ramp of one experiment is.

    Attributes:
        status: `running`, `paused`, `completed`, `rolled_back` or `aborted`.
        policy: as declared when it was started.
        state: as `gateway.ramping.state` writes it.
        look: what the last look found.
        version: one more with each change of status or step.
    """

    __tablename__ = "ramps"

    experiment: Mapped[str] = mapped_column(String(63), primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    policy: Mapped[dict[str, Any]]
    state: Mapped[dict[str, Any]]
    look: Mapped[dict[str, Any]]
    version: Mapped[int]
    started_at: Mapped[datetime]
    looked_at: Mapped[datetime]


class RampDecision(Base):
    """One decision with all that it rests on. Never updated.

    Attributes:
        action: `start`, `advance`, `complete`, `pause`, `resume`, `roll_back` or `abort`.
        share: of the candidate from then on, 0 to 1.
        reasons: stable identifiers.
        figures: what was known, see `gateway.deciding.ramp.figures`.
        actor: name of the API key, or `ramp` for the leader.
        token: of the leader's lease; 0 for people.
    """

    __tablename__ = "ramp_decisions"
    __table_args__ = (Index("ix_ramp_decisions_experiment", "experiment"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    experiment: Mapped[str] = mapped_column(String(63))
    action: Mapped[str] = mapped_column(String(16))
    step: Mapped[int]
    share: Mapped[float] = mapped_column(Float)
    reasons: Mapped[list[str]] = mapped_column(JSON)
    figures: Mapped[dict[str, Any]]
    actor: Mapped[str] = mapped_column(String(128))
    token: Mapped[int] = mapped_column(BigInteger)
