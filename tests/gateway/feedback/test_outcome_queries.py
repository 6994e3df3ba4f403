from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from gateway.feedback.outcome_queries import read_confusions, read_outcomes, read_sums
from gateway.feedback.outcomes import Confusion, OutcomeFilter, OutcomeGroup
from gateway.feedback.store import record
from tests.gateway.feedback.entries import entry, signed
from tests.gateway.receipts.receipts import NOW

if TYPE_CHECKING:
    from gateway.feedback.verdict import Entry
    from gateway.storage.database import Database

pytestmark = pytest.mark.anyio

DIGEST = "ab" * 8


async def write(database: Database, *entries: Entry) -> None:
    await database.write(lambda session: record(session, entries, NOW))


async def test_read_outcomes_pages_through_all_in_order(database: Database) -> None:
    receipts = [signed("food", at=NOW + timedelta(seconds=n // 2)) for n in range(7)]
    await write(database, *[entry(each, "food") for each in reversed(receipts)])
    found, after = [], None
    while page := await database.read(
        lambda session: read_outcomes(session, OutcomeFilter(), limit=3, after=after)  # noqa: B023 - called at once
    ):
        found += page
        after = page[-1].predicted_at, page[-1].prediction_key, page[-1].task
    assert {each.prediction_key for each in found} == {each.key for each in receipts}
    assert len(found) == 7
    assert [each.predicted_at for each in found] == sorted(each.predicted_at for each in found)


async def test_read_outcomes_holds_receipt_and_label(database: Database) -> None:
    receipt = signed("food", 0.75, arm="demo", unit="0123456789abcdef")
    await write(database, entry(receipt, "animal", weight=4.0), entry(signed("food"), None))
    wanted = OutcomeFilter(experiment="heads")
    (outcome,) = await database.read(lambda session: read_outcomes(session, wanted, limit=9))
    assert (outcome.predicted, outcome.label, outcome.is_correct) == (("food",), ("animal",), False)
    assert (outcome.arm, outcome.revision, outcome.propensity) == ("demo", "0badcafe", 0.5)
    assert (outcome.weight, outcome.unit) == (4.0, "0123456789abcdef")
    # Kept to 1/16383.
    assert outcome.confidence == pytest.approx(0.75, abs=1e-4)
    unsure = await database.read(lambda session: read_outcomes(session, OutcomeFilter(), limit=9))
    assert {each.label for each in unsure} == {("animal",), None}


async def test_read_sums_add_up_by_bin_and_leave_out_unsure_and_other_times(
    database: Database,
) -> None:
    await write(
        database,
        entry(signed("food", 0.5), "food", weight=2.0),
        entry(signed("food", 0.5), "animal", weight=3.0),
        entry(signed("food", 1.0), "food"),
        entry(signed("food", 1.0), None),
        entry(signed("food", 1.0, at=NOW - timedelta(days=8)), "food"),
        entry(signed("food", 1.0, variant="other"), "food"),
    )
    wanted = OutcomeFilter(variant="demo", since=NOW - timedelta(days=1))
    found = await database.read(lambda session: read_sums(session, wanted))
    sums = {each.confidence_bin: each for each in found[OutcomeGroup("demo", DIGEST, "")]}
    assert set(sums) == {7, 14}
    half = sums[7]
    assert (half.count, half.w, half.ww, half.wc, half.wwc) == (2, 5.0, 13.0, 2.0, 4.0)
    # Confidences are kept to 1/16383.
    assert (half.wp, half.wwp, half.wwpp, half.wwcp) == pytest.approx(
        (2.5, 6.5, 3.25, 2.0), abs=1e-3
    )
    assert (sums[14].count, sums[14].w) == (1, 1.0)


async def test_read_sums_by_arm_counts_only_what_was_drawn(database: Database) -> None:
    await write(
        database,
        entry(signed("food", arm="demo"), "food"),
        entry(signed("food", arm="other", variant="other"), "animal"),
        entry(signed("food"), "food"),
    )
    found = await database.read(lambda session: read_sums(session, OutcomeFilter(), by_arm=True))
    assert {(each.experiment, each.revision, each.arm) for each in found} == {
        ("heads", "0badcafe", "demo"),
        ("heads", "0badcafe", "other"),
    }


async def test_read_confusions_counts_pairs_with_their_weights(database: Database) -> None:
    await write(
        database,
        entry(signed("food"), "food", weight=2.0),
        entry(signed("food"), "food"),
        entry(signed("food"), "animal"),
    )
    found = await database.read(lambda session: read_confusions(session, OutcomeFilter()))
    assert found is not None
    assert sorted(found[OutcomeGroup("demo", DIGEST, "")], key=lambda each: each.label) == [
        Confusion("food", "animal", 1, 1.0, 1.0),
        Confusion("food", "food", 2, 3.0, 5.0),
    ]
