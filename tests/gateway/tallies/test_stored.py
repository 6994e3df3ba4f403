from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.storage.database import Database
from gateway.tallies.stored import KEPT, forget_old_tallies, read_tallies, write_tallies
from gateway.tallies.tally import Tally, TallyKey
from tests.gateway.storage.databases import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 12, 1, tzinfo=UTC)
KEY = TallyKey("heads", "0badcafe", "other")
TALLY = Tally(0.1, units=3, failed_units=1, answers=4, failures=2, shed=1, latency={17: 4})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    migrate(database_url)
    database = Database(database_url)
    yield database
    await database.close()


async def write(database: Database, process: str, tally: Tally, at: datetime = NOW) -> None:
    await database.write(lambda session: write_tallies(session, process, {KEY: tally}, at))


async def test_processes_add_up_and_writing_again_changes_nothing(database: Database) -> None:
    for _ in range(2):
        await write(database, "one", TALLY)
    await write(database, "other", TALLY)
    figures = (await database.read(lambda session: read_tallies(session, "heads")))[KEY]
    assert figures.processes == 2
    assert (figures.tally.units, figures.tally.answers) == (6, 8)
    assert figures.tally.latency == {17: 8}
    assert await database.read(lambda session: read_tallies(session, "heads-2")) == {}


async def test_tallies_of_long_ago_are_forgotten(database: Database) -> None:
    await write(database, "one", TALLY, NOW - KEPT - timedelta(seconds=1))
    await write(database, "other", TALLY)
    await database.write(lambda session: forget_old_tallies(session, NOW))
    figures = (await database.read(lambda session: read_tallies(session, "heads")))[KEY]
    assert figures.processes == 1
