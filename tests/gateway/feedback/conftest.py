from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.storage.database import Database
from tests.gateway.storage.databases import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty database of this release, in SQLite and in PostgreSQL."""
    migrate(database_url)
    database = Database(database_url)
    yield database
    await database.close()
