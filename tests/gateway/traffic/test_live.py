from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from gateway.routing.definitions import TrafficFile
from gateway.start_errors import TrafficFileError
from gateway.storage.database import Database
from gateway.storage.engine import make_engine
from gateway.telemetry.traffic_metrics import TrafficMetrics
from gateway.traffic.audit import Actor
from gateway.traffic.in_force import Origin
from gateway.traffic.ledger import Ledger
from gateway.traffic.live import LiveTraffic
from gateway.traffic.stored import Kind
from tests.gateway.routing.traffic import experiment
from tests.gateway.storage.databases import sqlite_url
from tests.gateway.traffic.test_file import MINIMAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.orm import Session

    from gateway.routing.definitions import ExperimentDefinition

pytestmark = pytest.mark.anyio

HEADS = (Kind.EXPERIMENT, "heads")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(sqlite_url(tmp_path))
    yield database
    await database.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "experiments.toml"
    path.write_text(MINIMAL)
    return path


def write(path: Path, text: str | None) -> None:
    """Writes the file, or deletes it."""
    if text is None:
        path.unlink()
    else:
        path.write_text(text)


def take_away(folder: Path) -> None:
    """Puts something in a folder's place in which no database can be made."""
    folder.rename(folder.with_name("away"))
    folder.write_text("a file")


def bring_back(folder: Path) -> None:
    """Undoes it."""
    folder.unlink()
    folder.with_name("away").rename(folder)


def follow(path: Path | None, database: Database | None) -> LiveTraffic:
    return LiveTraffic(path, database, TrafficMetrics(CollectorRegistry()), 2.0)


async def store(database: Database, definition: ExperimentDefinition) -> None:
    """Writes as another replica would."""

    def work(session: Session) -> None:
        ledger = Ledger(session, TrafficFile(), Actor("k", "r"), datetime.now(UTC))
        ledger.put(definition, "put")

    await database.write(work)


async def test_refresh_follows_the_file(path: Path) -> None:
    live = follow(path, None)
    await live.start()
    before = live.in_force
    await live.refresh()
    assert live.in_force is before
    write(path, MINIMAL.replace("weight = 9", "weight = 8"))
    await live.refresh()
    definition = live.in_force.rules[HEADS].definition
    assert definition == experiment(arms={"demo": {"weight": 8}, "other": {"weight": 1}})


@pytest.mark.parametrize("change", ["broken", "gone"])
async def test_refresh_bad_file_is_refused_whole_and_the_old_one_goes_on(
    path: Path, change: str
) -> None:
    live = follow(path, None)
    await live.start()
    before = live.in_force
    if change == "broken":
        write(path, MINIMAL.replace("heads", "good") + "[[experiments]]\nname = 'bad'\n")
    else:
        write(path, None)
    await live.refresh()
    assert live.in_force is before
    assert live.states[Origin.FILE].fault is not None
    write(path, MINIMAL)
    await live.refresh()
    assert live.states[Origin.FILE].fault is None


async def test_start_with_a_bad_file_is_refused(path: Path) -> None:
    write(path, "[[experiments]]")
    with pytest.raises(TrafficFileError, match="Correct the file"):
        await follow(path, None).start()


async def test_store_wins_over_the_file_name_by_name(path: Path, database: Database) -> None:
    await store(database, experiment(name="heads", without_unit="exclude"))
    live = follow(path, database)
    await live.start()
    rule = live.in_force.rules[HEADS]
    assert (rule.origin, rule.has_file_twin) == (Origin.STORE, True)
    assert rule.definition == experiment(without_unit="exclude")


async def test_replicas_follow_the_store(database: Database) -> None:
    one, other = follow(None, database), follow(None, database)
    await asyncio.gather(one.start(), other.start())
    await store(database, experiment())
    await asyncio.gather(one.refresh(), other.refresh())
    assert one.in_force == other.in_force
    assert one.in_force.traffic.plan.experiments


async def test_database_gone_keeps_what_it_said_and_comes_back(
    tmp_path: Path, database: Database
) -> None:
    await store(database, experiment())
    live = follow(None, database)
    await live.start()
    before = live.in_force
    take_away(tmp_path / "made")
    await live.refresh()
    assert live.in_force is before
    assert live.states[Origin.STORE].fault is not None
    bring_back(tmp_path / "made")
    await live.refresh()
    assert live.states[Origin.STORE].fault is None


async def test_store_of_a_later_release_keeps_what_was_understood(
    tmp_path: Path, database: Database
) -> None:
    await store(database, experiment())
    live = follow(None, database)
    await live.start()
    engine = make_engine(sqlite_url(tmp_path))
    with engine.begin() as connection:
        connection.execute(text("UPDATE routing_revision SET revision = revision + 1"))
        connection.execute(
            text("UPDATE traffic_rules SET definition = json_set(definition, '$.later', 1)")
        )
    engine.dispose()
    await live.refresh()
    assert HEADS in live.in_force.rules
    fault = live.states[Origin.STORE].fault
    assert fault is not None
    assert "later" in fault


async def test_file_that_collides_with_the_store_is_refused_until_it_does_not(
    path: Path, database: Database
) -> None:
    write(path, "")
    await store(database, experiment(name="stored"))
    live = follow(path, database)
    await live.start()
    write(path, MINIMAL)
    await live.refresh()
    fault = live.states[Origin.FILE].fault
    assert fault is not None
    assert "share slots" in fault
    await store(database, experiment(name="stored", is_running=False))
    await live.refresh()  # the store's change
    await live.refresh()  # the same file, tried again
    assert live.states[Origin.FILE].fault is None
    assert HEADS in live.in_force.rules
