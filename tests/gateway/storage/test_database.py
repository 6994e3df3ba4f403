from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from gateway.errors import StorageOutdatedError, StorageUnavailableError
from gateway.storage.database import Database
from gateway.storage.tables import Promotion, RoutingRevision
from tests.gateway.storage.databases import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from tests.gateway.storage.databases import Postgresql

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    migrate(database_url)
    database = Database(database_url)
    yield database
    await database.close()


def add_promotion(session: Session) -> None:
    session.add(Promotion(variant="demo", promoted_at=NOON))


def promotions(session: Session) -> list[Promotion]:
    return list(session.scalars(select(Promotion)))


async def test_write_is_committed_and_moments_come_back_in_utc(database: Database) -> None:
    await database.write(add_promotion)
    (kept,) = await database.read(promotions)
    assert kept.promoted_at == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert kept.promoted_at.utcoffset() == timedelta(0)


async def test_write_that_raises_is_undone(database: Database) -> None:
    def fail(session: Session) -> None:
        add_promotion(session)
        session.flush()
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(fail)
    assert await database.read(promotions) == []


async def test_writers_at_once_lose_no_change(database: Database) -> None:
    def move(session: Session) -> None:
        row = session.get_one(RoutingRevision, 1, with_for_update=True)
        time.sleep(0.01)  # long enough for the others to come in between
        row.revision += 1

    await asyncio.gather(*(database.write(move) for _ in range(10)))
    assert await database.read(lambda session: session.get_one(RoutingRevision, 1).revision) == 10


async def test_slow_statement_leaves_the_event_loop_free(database: Database) -> None:
    release = threading.Event()
    slow = asyncio.create_task(database.read(lambda _: release.wait(5)))
    await asyncio.sleep(0.05)  # the loop turns, and another call is answered beside it
    assert await database.read(promotions) == []
    assert not slow.done()
    release.set()
    assert await slow is True


async def test_sqlite_migrates_itself(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'd.sqlite3'}")
    assert await database.read(promotions) == []
    await database.close()


async def test_sqlite_damaged_file_is_unavailable_until_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "d.sqlite3"
    file.write_bytes(b"this is no database" * 100)
    database = Database(f"sqlite:///{file}")
    with pytest.raises(StorageUnavailableError):
        await database.read(promotions)
    file.unlink()
    assert await database.read(promotions) == []
    await database.close()


async def test_postgresql_that_was_not_upgraded_is_outdated_until_it_is(
    postgresql: Postgresql,
) -> None:
    url = postgresql.new_database()
    database = Database(url)
    with pytest.raises(StorageOutdatedError):
        await database.read(promotions)
    migrate(url)
    assert await database.read(promotions) == []
    await database.close()


async def test_postgresql_gone_and_back_is_unavailable_then_works(postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    migrate(url)
    database = Database(url)
    await database.write(add_promotion)
    await asyncio.to_thread(postgresql.stop)
    with pytest.raises(StorageUnavailableError):
        await database.write(add_promotion)
    await asyncio.to_thread(postgresql.start)
    assert len(await database.read(promotions)) == 1
    await database.close()
