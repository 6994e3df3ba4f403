"""Follows the file and the store, so that every replica decides by the same rules within seconds.

A source that cannot be used, or says what cannot be in force, is refused whole: what it said before
goes on. Nothing on the way of a request waits for either.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from gateway.errors import (
    GatewayError,
    StorageOutdatedError,
    StorageUnavailableError,
    TrafficPlanError,
)
from gateway.start_errors import TrafficFileError
from gateway.telemetry.logs import log_event
from gateway.traffic.file import EMPTY_FILE, parse_file, read_bytes
from gateway.traffic.in_force import NOTHING_IN_FORCE, InForce, Origin, merge
from gateway.traffic.stored import NOTHING_STORED, Stored, read_revision, read_stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.orm import Session

    from gateway.routing.definitions import TrafficFile
    from gateway.storage.database import Database
    from gateway.telemetry.traffic_metrics import TrafficMetrics

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SourceState:
    """How the last look at a source went.

    Attributes:
        is_configured: whether there is one.
        fault: what was wrong, or None.
    """

    is_configured: bool
    fault: str | None = None


class LiveTraffic:
    """What is in force in this process.

    Args:
        path: of the file, or None.
        database: the store, or None.
        metrics: shows how the looks went.
        refresh_s: time between two looks, in seconds.
    """

    def __init__(
        self,
        path: Path | None,
        database: Database | None,
        metrics: TrafficMetrics,
        refresh_s: float,
    ) -> None:
        self._path = path
        self._database = database
        self._metrics = metrics
        self._refresh_s = refresh_s
        self._content: bytes | None = None
        self._file = EMPTY_FILE
        self._stored = NOTHING_STORED
        self._in_force = NOTHING_IN_FORCE
        self._looking = asyncio.Lock()
        self.states = {
            Origin.FILE: SourceState(path is not None),
            Origin.STORE: SourceState(database is not None),
        }

    @property
    def in_force(self) -> InForce:
        """What is in force; another value after each change."""
        return self._in_force

    @property
    def file(self) -> TrafficFile:
        """What the file says, as far as it is in force."""
        return self._file

    async def start(self) -> None:
        """Looks for the first time. The store may be away; the file may not be wrong.

        Raises:
            TrafficFileError: the file cannot be used: there is nothing yet that could go on.
        """
        await self.refresh()
        fault = self.states[Origin.FILE].fault
        if fault is not None and self._path is not None:
            raise TrafficFileError(self._path, fault)

    async def run(self, on_looked: Callable[[], None]) -> None:
        """Looks again and again, until cancelled.

        Args:
            on_looked: called after each look.
        """
        while True:
            on_looked()
            await asyncio.sleep(self._refresh_s)
            await self.refresh()

    async def refresh(self) -> None:
        """Looks at both once."""
        async with self._looking:
            await self._look_at_file()
            await self._look_at_store()

    async def _look_at_file(self) -> None:
        if self._path is None:
            return
        try:
            content = await asyncio.to_thread(read_bytes, self._path)
            # One that was refused is tried again: the store may have collided with it.
            if content == self._content and self.states[Origin.FILE].fault is None:
                return
            self._content = content
            file = parse_file(content)
            self._put_in_force(file, self._stored)
        except TrafficPlanError as error:
            self._note(Origin.FILE, str(error))
        else:
            self._note(Origin.FILE, None)

    async def _look_at_store(self) -> None:
        if self._database is None:
            return
        known = self._stored.revision

        def read(session: Session) -> Stored | None:
            return None if read_revision(session) == known else read_stored(session)

        try:
            stored = await self._database.read(read)
            if stored is not None:
                self._put_in_force(self._file, stored)
        except (StorageUnavailableError, StorageOutdatedError, TrafficPlanError) as error:
            self._note(
                Origin.STORE, error.detail if isinstance(error, GatewayError) else str(error)
            )
        else:
            self._note(Origin.STORE, None)

    def _put_in_force(self, file: TrafficFile, stored: Stored) -> None:
        in_force = merge(file, stored)
        self._file, self._stored, self._in_force = file, stored, in_force
        log_event(
            _LOG,
            logging.INFO,
            "traffic_in_force",
            rules={name: rule.origin for (_, name), rule in in_force.rules.items()},
            promoted=in_force.traffic.promoted,
            revision=stored.revision,
        )

    def _note(self, origin: Origin, fault: str | None) -> None:
        before = self.states[origin]
        self.states[origin] = replace(before, fault=fault)
        self._metrics.set_source_up(origin, fault is None)
        if fault is not None and fault != before.fault:
            log_event(_LOG, logging.WARNING, "traffic_refused", source=origin, fault=fault)
