from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.gateway.ramping.replicas import Clock, Replica, ramped
from tests.gateway.storage.databases import migrate, sqlite_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def replicas(database_url: str) -> AsyncIterator[tuple[Replica, Replica]]:
    """Two replicas with one clock and an experiment that declares a ramp, on either database."""
    async with run_replicas(database_url) as both:
        yield both


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[tuple[Replica, Replica]]:
    """The same, for what depends on no database."""
    async with run_replicas(sqlite_url(tmp_path)) as both:
        yield both


@asynccontextmanager
async def run_replicas(url: str) -> AsyncIterator[tuple[Replica, Replica]]:
    migrate(url)
    clock = Clock()
    both = Replica(url, clock), Replica(url, clock)
    await both[0].put(ramped())
    await both[1].live.refresh()
    yield both
    for replica in both:
        await replica.database.close()
