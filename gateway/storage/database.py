"""Runs SQL beside the event loop: in a few threads, each call one transaction, with an end.

Threads and the synchronous drivers, not an asynchronous engine: see decision 11. A database that is
away raises `StorageUnavailableError`; who calls keeps its last state and says so.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from sqlalchemy import exc
from sqlalchemy.orm import Session

from gateway.errors import StorageOutdatedError, StorageUnavailableError
from gateway.storage.engine import POOL_SIZE, WAIT_S, WRITES, is_sqlite, make_engine
from gateway.storage.schema import current_revision, head_revision, upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")
_TIMEOUT_S: Final = 2.0 * WAIT_S  # a connection, then a statement; the drivers give up before
_MAX_WAITING: Final = 256  # calls beyond it fail at once: the threads are stuck
_AWAY: Final = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError)


class Database:
    """One database, and the threads that talk to it.

    The schema is looked at before the first call that succeeds: SQLite is brought up to date there
    and then, as its only user does not want to hear of migrations. PostgreSQL is not, since several
    replicas share it: `python -m gateway.storage upgrade` is a step of the roll-out.

    Args:
        database_url: `sqlite:///path` or `postgresql://user:password@host/name`.
    """

    def __init__(self, database_url: str) -> None:
        self._engine = make_engine(database_url)
        self._threads = ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="diptych-storage")
        self._is_prepared = False
        self._waiting = 0

    @property
    def is_embedded(self) -> bool:
        """Whether it is a file of this machine, which replicas elsewhere cannot share."""
        return is_sqlite(self._engine.url)

    async def read(self, work: Callable[[Session], _Result]) -> _Result:
        """Runs `work` in a transaction that writes nothing. Raises as `write` does."""
        return await self._run(work, writes=False)

    async def write(self, work: Callable[[Session], _Result]) -> _Result:
        """Runs `work` in a transaction, committed when it returns and undone when it raises.

        Args:
            work: is called in a thread; it must not touch what belongs to the event loop.

        Raises:
            StorageUnavailableError: the database cannot be reached or did not answer in time; then
                the change may have been made or not.
            StorageOutdatedError: its schema is not that of this release.
        """
        return await self._run(work, writes=True)

    async def close(self) -> None:
        """Ends all connections; a call that still runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._engine.dispose)

    async def _run(self, work: Callable[[Session], _Result], *, writes: bool) -> _Result:
        if self._waiting >= _MAX_WAITING:
            raise StorageUnavailableError
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._threads, self._transact, work, writes)
        self._waiting += 1
        call.add_done_callback(self._end_wait)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await asyncio.shield(call)
        except TimeoutError as error:
            raise StorageUnavailableError from error

    def _end_wait(self, call: asyncio.Future[_Result]) -> None:
        self._waiting -= 1
        if not call.cancelled():
            call.exception()  # looked at, as nobody may wait for it any more

    def _transact(self, work: Callable[[Session], _Result], writes: bool) -> _Result:
        try:
            self._prepare()
            engine = self._engine.execution_options(**{WRITES: writes})
            with Session(engine, expire_on_commit=False) as session, session.begin():
                return work(session)
        except _AWAY as error:
            raise StorageUnavailableError from error
        except exc.DatabaseError as error:
            if type(error) is exc.DatabaseError:  # a file that is no database, or a damaged one
                raise StorageUnavailableError from error
            raise
        except OSError as error:  # the folder of a SQLite file cannot be made
            raise StorageUnavailableError from error

    def _prepare(self) -> None:
        if self._is_prepared:
            return
        if is_sqlite(self._engine.url):
            upgrade(self._engine)
        elif current_revision(self._engine) != head_revision():
            raise StorageOutdatedError
        self._is_prepared = True
