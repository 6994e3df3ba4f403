from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gateway.errors import ConflictError, PreconditionFailedError
from gateway.routing.definitions import TrafficFile
from gateway.storage.database import Database
from gateway.traffic.audit import Actor, read_audit
from gateway.traffic.ledger import Ledger
from gateway.traffic.stored import Kind, read_stored
from tests.gateway.routing.traffic import experiment
from tests.gateway.storage.databases import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.orm import Session

pytestmark = pytest.mark.anyio

HEADS = (Kind.EXPERIMENT, "heads")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    migrate(database_url)
    database = Database(database_url)
    yield database
    await database.close()


async def change(database: Database, work: Callable[[Ledger], object]) -> object:
    """Makes one change."""

    def run(session: Session) -> object:
        return work(Ledger(session, TrafficFile(), Actor("ops", "r1"), datetime.now(UTC)))

    return await database.write(run)


async def test_changes_at_once_cannot_make_an_invalid_whole(database: Database) -> None:
    tries = [
        change(database, lambda ledger, n=n: ledger.put(experiment(name=f"e{n}"), "put"))  # type: ignore[misc]
        for n in range(4)
    ]
    results = await asyncio.gather(*tries, return_exceptions=True)
    # All want the same slots: one of them gets these, whoever it is.
    assert sum(isinstance(each, ConflictError) for each in results) == 3
    stored = await database.read(read_stored)
    assert len(stored.rules) == 1
    assert stored.revision == 1


async def test_changes_at_once_from_one_state_let_one_through(database: Database) -> None:
    await change(database, lambda ledger: ledger.put(experiment(), "put"))

    def reweigh(weight: int) -> Callable[[Ledger], object]:
        def work(ledger: Ledger) -> None:
            ledger.require(HEADS, '"store-1"')
            arms = {"demo": {"weight": weight}, "other": {"weight": 1}}
            ledger.put(experiment(arms=arms), "weight")

        return work

    results = await asyncio.gather(
        *(change(database, reweigh(weight)) for weight in (2, 3, 4)), return_exceptions=True
    )
    assert sum(isinstance(each, PreconditionFailedError) for each in results) == 2
    entries = await database.read(
        lambda session: read_audit(session, limit=10, before_id=None, target="heads")
    )
    assert [each.action for each in entries] == ["experiment.weight", "experiment.put"]


async def test_promotions_are_undone_one_after_another(database: Database) -> None:
    for variant in ("a", "b", "c"):
        await change(database, lambda ledger, v=variant: ledger.promote(v))  # type: ignore[misc]
    for current, previous in (("c", "b"), ("b", "a"), ("a", None)):
        assert (await database.read(read_stored)).promoted == current
        await change(database, lambda ledger, v=current: ledger.demote(v))  # type: ignore[misc]
        assert (await database.read(read_stored)).promoted == previous
