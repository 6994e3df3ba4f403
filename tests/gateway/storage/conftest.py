from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway.storage.databases import Postgresql, running_postgresql, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    with running_postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of either kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    server: Postgresql = request.getfixturevalue("postgresql")
    return server.new_database()
