"""Tallies in SQL: a row for each process, experiment, revision and arm, written as a whole.

A row holds all that its process has counted, not what is new: to write it again after an answer
that did not come changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from gateway.errors import StorageUnavailableError
from gateway.storage.ramp_tables import ArmTally
from gateway.tallies.tally import Tally, TallyKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

KEPT: Final = timedelta(days=90)
"""How long the tallies of a process that is gone are kept."""


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm in one revision, over all processes.

    Attributes:
        tally: the sum.
        processes: how many have counted.
    """

    tally: Tally
    processes: int


def write_tallies(
    session: Session, process: str, tallies: Mapping[TallyKey, Tally], at: datetime
) -> None:
    """Writes what a process has counted.

    Args:
        session: of a transaction that writes.
        process: that has counted.
        tallies: those that have changed.
        at: now.

    Raises:
        StorageUnavailableError: an earlier call of this process, given up, is still at it.
    """
    for key, tally in tallies.items():
        session.merge(
            ArmTally(
                process=process,
                experiment=key.experiment,
                revision=key.revision,
                arm=key.arm,
                share=tally.share,
                units=tally.units,
                failed_units=tally.failed_units,
                answers=tally.answers,
                failures=tally.failures,
                shed=tally.shed,
                latency={str(bucket): count for bucket, count in tally.latency.items()},
                updated_at=at,
            )
        )
    try:
        session.flush()
    except IntegrityError as error:
        raise StorageUnavailableError from error


def read_tallies(session: Session, experiment: str) -> dict[TallyKey, ArmFigures]:
    """Returns the sums of one experiment over all processes."""
    sums: dict[TallyKey, ArmFigures] = {}
    for row in session.scalars(select(ArmTally).where(ArmTally.experiment == experiment)):
        key = TallyKey(row.experiment, row.revision, row.arm)
        known = sums.get(key, ArmFigures(Tally(row.share), 0))
        known.tally.add(
            Tally(
                row.share,
                units=row.units,
                failed_units=row.failed_units,
                answers=row.answers,
                failures=row.failures,
                shed=row.shed,
                latency={int(bucket): count for bucket, count in row.latency.items()},
            )
        )
        sums[key] = ArmFigures(known.tally, known.processes + 1)
    return sums


def forget_old_tallies(session: Session, now: datetime) -> None:
    """Deletes those that nobody has written for `KEPT`."""
    session.execute(delete(ArmTally).where(ArmTally.updated_at < now - KEPT))
