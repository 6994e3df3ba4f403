"""Runs in every replica: shares its tallies, and leads the ramps while it has the lease.

While the database is away nothing is known of other replicas and no decision can be written: ramps
stand still, time without evidence is not counted as dwelling, and the fuse guards this process.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import TYPE_CHECKING, Final

from gateway.deciding.policy import LOOK_S
from gateway.errors import GatewayError, StorageOutdatedError, StorageUnavailableError
from gateway.ramping.record import read_ramps
from gateway.tallies.stored import forget_old_tallies, write_tallies
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.ramping.fuse import Fuse
    from gateway.ramping.leader import RampLeader
    from gateway.ramping.record import RampRecord
    from gateway.storage.database import Database
    from gateway.tallies.recorder import TallyRecorder
    from gateway.tallies.tally import Tally, TallyKey
    from gateway.telemetry.ramp_metrics import RampMetrics
    from gateway.traffic.live import LiveTraffic

_LOG: Final = logging.getLogger(__name__)
_CLEAN_EVERY_LOOKS: Final = 3600
_FUSE_AFTER_LOOKS: Final = 2
"""Looks that have to fail before the fuse watches: one may be a moment's wait."""


class RampController:
    """All that one process does for ramps.

    Args:
        database: the store.
        recorder: counts what came of each arm here.
        live: what is in force; looked at again after a change.
        leader: looks at ramps while it has the lease.
        fuse: guards while the database is away.
        metrics: show it all.
        process: a name that no other process ever has.
        now: returns the time of day.
    """

    def __init__(  # noqa: PLR0913 - collaborators
        self,
        database: Database,
        recorder: TallyRecorder,
        live: LiveTraffic,
        leader: RampLeader,
        fuse: Fuse,
        metrics: RampMetrics,
        *,
        process: str,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._live = live
        self._leader = leader
        self._fuse = fuse
        self._metrics = metrics
        self._process = process
        self._now = now
        self._written: dict[TallyKey, Tally] = {}
        self._under_way: list[RampRecord] = []
        self._failures = 0
        self._looks = 0

    async def run(self) -> None:
        """Looks every second until cancelled; then lets another lead at once."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                await self.look()
        finally:
            await self._release()

    async def look(self) -> None:
        """Looks once; a database that is away is noted and no error."""
        try:
            await self._look()
        except (StorageUnavailableError, StorageOutdatedError) as error:
            self._metrics.count_look(error.code)
            self._metrics.set_leader(False)
            self._leader.forget()
            self._failures += 1
            if self._failures >= _FUSE_AFTER_LOOKS:
                self._watch_alone()
            return
        self._metrics.count_look("ok")
        self._failures = 0
        self._fuse.reset()

    async def flush(self) -> None:
        """Writes what this process has counted since it wrote last. Raises as `Database.write`."""
        changed = {
            key: tally
            for key, tally in self._recorder.tallies().items()
            if self._written.get(key) != tally
        }
        if not changed:
            return
        now = self._now()
        await self._database.write(
            lambda session: write_tallies(session, self._process, changed, now)
        )
        self._written.update(changed)

    async def _look(self) -> None:
        self._looks += 1
        await self.flush()
        if self._looks % _CLEAN_EVERY_LOOKS == 0:
            now = self._now()
            await self._database.write(lambda session: forget_old_tallies(session, now))
        under_way = self._under_way = await self._database.read(read_ramps)
        self._metrics.show(
            {each.experiment: each.share for each in under_way},
            {each.experiment: each.status.value for each in under_way},
        )
        if not under_way:
            self._metrics.set_leader(False)
            return
        is_leader = await self._database.write(self._leader.lease.hold)
        self._metrics.set_leader(is_leader)
        if not is_leader:
            self._leader.forget()
            return
        has_changed = False
        for record in under_way:
            try:
                has_changed |= await self._leader.look_at(record)
            except (StorageUnavailableError, StorageOutdatedError):
                raise
            except GatewayError as error:  # one ramp's rules collide: the others go on
                self._metrics.count_look(error.code)
                log_event(
                    _LOG,
                    logging.ERROR,
                    "ramp_refused",
                    experiment=record.experiment,
                    code=error.code,
                    detail=error.detail,
                )
        if has_changed:
            await self._live.refresh()

    def _watch_alone(self) -> None:
        for experiment, candidate in self._fuse.look(self._under_way, self._recorder.tallies()):
            self._metrics.count_held_back(experiment)
            log_event(
                _LOG, logging.WARNING, "ramp_held_back", experiment=experiment, candidate=candidate
            )

    async def _release(self) -> None:
        try:
            await self.flush()
            await self._database.write(self._leader.lease.release)
        except (StorageUnavailableError, StorageOutdatedError):
            return  # the lease runs out by itself


def process_name() -> str:
    """Returns a name that no other process ever has."""
    return uuid.uuid4().hex
