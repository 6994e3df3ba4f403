"""What people can do to a ramp: start, pause, resume, abort; audited like all changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from gateway.errors import StorageNotConfiguredError
from gateway.ramping import transitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from gateway.ramping.record import RampRecord
    from gateway.storage.database import Database
    from gateway.traffic.audit import Actor
    from gateway.traffic.live import LiveTraffic

Command = Literal["start", "pause", "resume", "abort"]
_TRANSITIONS: Final[dict[Command, Callable[[transitions.Desk, str], RampRecord]]] = {
    "start": transitions.start,
    "pause": transitions.pause,
    "resume": transitions.resume,
    "abort": transitions.abort,
}


class RampAdmin:
    """The use cases.

    Args:
        database: the store, or None.
        live: what is in force.
    """

    def __init__(self, database: Database | None, live: LiveTraffic) -> None:
        self._database = database
        self._live = live

    async def command(self, experiment: str, command: Command, actor: Actor) -> RampRecord:
        """Does it; in force in this replica when the call returns.

        Raises:
            UnknownRuleError: there is no such experiment.
            ConflictError: the experiment or its ramp is in no state that allows it.
            StorageUnavailableError: not now; also StorageOutdatedError.
            StorageNotConfiguredError: there is no store, and so no ramp.
        """
        if self._database is None:
            raise StorageNotConfiguredError
        file, now = self._live.file, datetime.now(UTC)

        def work(session: Session) -> RampRecord:
            desk = transitions.Desk(session, file, actor, now)
            return _TRANSITIONS[command](desk, experiment)

        record = await self._database.write(work)
        await self._live.refresh()
        return record
