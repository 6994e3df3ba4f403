"""Group commit: all labels that come while one transaction runs go into the next.

Acknowledged is what is committed. What waits is bounded, and what is beyond the bound is refused,
never dropped. The task that writes is there while anything waits.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import FeedbackQueueFullError, StorageUnavailableError
from gateway.feedback.store import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.feedback.verdict import Entry, Status
    from gateway.storage.database import Database
    from gateway.telemetry.feedback_metrics import FeedbackMetrics

_MAX_GROUP: Final = 512  # labels; a transaction of as many takes some tens of milliseconds
_TIMEOUT_S: Final = 10.0
_UNKNOWN: Final = (
    "The database cannot be reached at the moment, and whether this feedback was recorded is not "
    "known. Send it again: what is known already changes nothing."
)


@dataclass(frozen=True, slots=True)
class _Waiting:
    entries: tuple[Entry, ...]
    done: asyncio.Future[list[Status]]


class FeedbackWriter:
    """Writes the feedback of one process.

    Args:
        database: where it goes.
        metrics: what waits, and how long transactions take.
        max_waiting: most labels that wait.
    """

    def __init__(self, database: Database, metrics: FeedbackMetrics, max_waiting: int) -> None:
        self._database = database
        self._metrics = metrics
        self._max_waiting = max_waiting
        self._queue: deque[_Waiting] = deque()
        self._count = 0
        self._writing: asyncio.Task[None] | None = None

    async def write(self, entries: Sequence[Entry]) -> list[Status]:
        """Records labels.

        Returns:
            What came of each, once it is committed.

        Raises:
            FeedbackQueueFullError: too many wait; nothing was recorded.
            StorageUnavailableError: the database does not answer; they may be recorded or not.
            StorageOutdatedError: its schema is not that of this release.
        """
        if self._count + len(entries) > self._max_waiting:
            raise FeedbackQueueFullError
        waiting = _Waiting(tuple(entries), asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._move_count(len(entries))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await waiting.done
        except TimeoutError as error:
            raise StorageUnavailableError(_UNKNOWN) from error

    async def close(self) -> None:
        """Ends the writing; who still waits is not answered."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait((self._writing,))

    async def _write_all(self) -> None:
        try:
            while group := self._take_group():
                await self._commit(group)
                self._move_count(-sum(len(each.entries) for each in group))
        finally:
            self._writing = None

    def _take_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._queue and (not group or size + len(self._queue[0].entries) <= _MAX_GROUP):
            waiting = self._queue.popleft()
            if waiting.done.done():  # who sent it has gone, and can send it again
                self._move_count(-len(waiting.entries))
                continue
            group.append(waiting)
            size += len(waiting.entries)
        return group

    async def _commit(self, group: Sequence[_Waiting], *, is_again: bool = False) -> None:
        entries = [entry for each in group for entry in each.entries]
        now, begun_s = datetime.now(UTC), time.perf_counter()
        try:
            statuses = await self._database.write(lambda session: record(session, entries, now))
        except StorageUnavailableError:
            _fail(group, StorageUnavailableError(_UNKNOWN))
        except SQLAlchemyError as error:
            # Another replica wrote the same row first, or one of the group cannot be stored: each
            # is tried once more by itself, so that none fails for another's sake.
            if is_again:
                _fail(group, error)
            for each in () if is_again else group:
                await self._commit((each,), is_again=True)
        except Exception as error:  # noqa: BLE001 - who waits must hear of whatever it is
            _fail(group, error)
        else:
            self._metrics.observe_commit(len(entries), time.perf_counter() - begun_s)
            for each in group:
                own, statuses = statuses[: len(each.entries)], statuses[len(each.entries) :]
                if not each.done.done():
                    each.done.set_result(own)

    def _move_count(self, by: int) -> None:
        self._count += by
        self._metrics.set_waiting(self._count)


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for each in group:
        if not each.done.done():
            each.done.set_exception(error)
