from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select

from gateway.feedback.store import CONFIDENCE_BINS, confidence_bin, record
from gateway.feedback.verdict import Entry, Status
from gateway.feedback.writer import FeedbackWriter
from gateway.storage.database import Database
from gateway.storage.tables import Feedback, FeedbackHistory
from gateway.telemetry.metrics import Metrics
from tests.gateway.feedback.entries import entry, signed
from tests.gateway.receipts.receipts import NOW

pytestmark = pytest.mark.anyio


async def write(database: Database, *entries: Entry) -> list[Status]:
    return await database.write(lambda session: record(session, entries, NOW))


async def known(database: Database) -> list[tuple[str | None, bool | None, int]]:
    """Label, correctness and version of all that counts."""
    rows = await database.read(lambda session: session.scalars(select(Feedback)).all())
    return [(row.label, row.is_correct, row.version) for row in rows]


async def history(database: Database) -> list[tuple[str | None, int]]:
    query = select(FeedbackHistory).order_by(FeedbackHistory.id)
    rows = await database.read(lambda session: session.scalars(query).all())
    return [(row.label, row.version) for row in rows]


async def test_record_again_changes_nothing(database: Database) -> None:
    receipt = signed("food")
    assert await write(database, entry(receipt, "food")) == [Status.RECORDED]
    assert await write(database, entry(receipt, "food", after_s=90)) == [Status.UNCHANGED]
    assert await known(database) == [("food", True, 1)]
    assert await history(database) == []


async def test_record_a_correction_supersedes_and_keeps_what_was(database: Database) -> None:
    receipt = signed("food")
    await write(database, entry(receipt, "food"))
    assert await write(database, entry(receipt, None, after_s=70)) == [Status.CORRECTED]
    assert await write(database, entry(receipt, "travel", after_s=80)) == [Status.CORRECTED]
    assert await known(database) == [("travel", False, 3)]
    assert await history(database) == [("food", 1), (None, 2)]


async def test_record_an_older_label_that_comes_later_does_not_count(database: Database) -> None:
    receipt = signed("food")
    await write(database, entry(receipt, "travel", after_s=80))
    assert await write(database, entry(receipt, "food", after_s=70)) == [Status.OUTDATED]
    assert await known(database) == [("travel", False, 1)]
    assert await history(database) == [("food", 0)]


async def test_record_in_one_transaction_takes_them_in_order(database: Database) -> None:
    one, other = signed("food"), signed("animal")
    assert await write(
        database, entry(one, "food"), entry(other, "food"), entry(one, "animal"), entry(one, "food")
    ) == [Status.RECORDED, Status.RECORDED, Status.CORRECTED, Status.CORRECTED]
    assert sorted(await known(database)) == [("food", False, 1), ("food", True, 3)]


async def test_writers_of_two_replicas_record_each_label_once(
    database: Database, database_url: str
) -> None:
    metrics = Metrics(CollectorRegistry()).feedback
    second = Database(database_url)
    writers = [FeedbackWriter(each, metrics, 4096) for each in (database, second)]
    receipts = [signed("food") for _ in range(40)]
    calls = [
        writer.write([entry(each, "food")])
        for pair in zip(receipts, reversed(receipts), strict=True)
        for writer, each in zip(writers, pair, strict=True)
    ]
    statuses = [status for each in await asyncio.gather(*calls) for status in each]
    await second.close()
    assert sorted(statuses) == [Status.RECORDED] * 40 + [Status.UNCHANGED] * 40
    assert await known(database) == [("food", True, 1)] * 40


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [(0.0, 0), (1 / 15, 0), (0.07, 1), (0.5, 7), (1.0, 14), (None, None)],
)
def test_confidence_bin_holds_its_upper_edge(
    confidence: float | None, expected: int | None
) -> None:
    assert confidence_bin(confidence) == expected
    assert expected is None or expected < CONFIDENCE_BINS
