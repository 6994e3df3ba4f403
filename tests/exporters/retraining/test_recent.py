"""Captured answers joined with labels."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from exporters.retraining.errors import FeedbackDatabaseError
from exporters.retraining.recent import join_recent, read_feedback, truncated
from gateway.contract.feedback import FEEDBACK
from gateway.storage.tables import Feedback
from tests.exporters.retraining.feedback_world import NOON, World, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.retraining.recent import RecentExamples
    from tests.gateway.storage.databases import Postgresql

LIVE = "a" * 64
TEXT = np.arange(12, dtype=np.float32).reshape(6, 2)
IMAGE = np.arange(18, dtype=np.float32).reshape(6, 3)


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "sqlite":
        return World.make(tmp_path)
    server: Postgresql = request.getfixturevalue("postgresql")
    return World.make(tmp_path, server.new_database())


def joined(world: World, since_minutes: int = -1) -> RecentExamples:
    since = NOON + timedelta(minutes=since_minutes)
    return join_recent(
        [world.capture],
        read_feedback(world.database, since),
        labels=("food", "travel"),
        digests={LIVE},
        since=since,
    )


def test_join_finds_the_label_and_multiplies_the_weights(world: World) -> None:
    rows = rows_of(TEXT, IMAGE, LIVE, sampling_weight=2.0)
    world.capture_rows(rows)
    world.label(rows[:2], ["food", "travel"])
    world.label(rows[2:3], ["travel"], weight=3.0)

    recent = joined(world)

    np.testing.assert_array_equal(recent.truth, [0, 1, 1])
    np.testing.assert_array_equal(recent.text, TEXT[:3])  # small whole numbers are halves, too
    np.testing.assert_array_equal(recent.image, IMAGE[:3])
    np.testing.assert_allclose(recent.weights, np.array([2, 2, 6]) * 3 / 10)
    assert recent.since == NOON
    assert recent.until == NOON + timedelta(minutes=2)
    assert recent.left_out["without a label yet"] == 3


def test_join_leaves_out_what_cannot_be_used_and_counts_it(world: World) -> None:
    rows = rows_of(TEXT, IMAGE, LIVE)
    changed = [
        rows[0],
        replace(rows[1], digest="b" * 64),
        replace(rows[2], modalities="text", image_features=None),
        *rows[3:5],
    ]
    world.capture_rows(changed)
    world.label(changed, ["food", "food", "food", "never trained", None])

    recent = joined(world)

    assert len(recent) == 1
    assert recent.left_out == {
        "without a label yet": 1,
        "of other encoders": 1,
        "with one input alone": 1,
        "of unknown labels": 1,
    }


def test_join_takes_what_is_within_the_window(world: World) -> None:
    rows = rows_of(TEXT, IMAGE, LIVE)
    world.capture_rows(rows)
    world.label(rows, ["food"] * 6)

    assert len(joined(world, since_minutes=4)) == 2


def test_digest_changes_with_a_corrected_label_alone(tmp_path: Path) -> None:
    digests = []
    for name, label in (("a", "food"), ("b", "food"), ("c", "travel")):
        world = World.make(tmp_path / name)
        rows = rows_of(TEXT, IMAGE, LIVE)
        world.capture_rows(rows)
        world.label(rows, ["food"] * 5 + [label])
        digests.append(joined(world).digest)

    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("url", ["no url", "sqlite:////nowhere/at/all.sqlite3"])
def test_database_that_cannot_be_read_is_an_error_without_the_statement(url: str) -> None:
    with pytest.raises(FeedbackDatabaseError) as caught:
        read_feedback(url, None)

    assert "SELECT" not in str(caught.value)


def test_postgresql_that_is_away_is_an_error_without_its_password(
    postgresql: Postgresql,
) -> None:
    url = postgresql.new_database().replace("postgres:@", "postgres:s3cret@")
    postgresql.set_away(url, is_away=True)

    with pytest.raises(FeedbackDatabaseError, match="not currently accepting") as caught:
        read_feedback(url, None)

    assert "s3cret" in url
    assert "s3cret" not in str(caught.value)


def test_weights_are_cut_at_ten_times_their_mean() -> None:
    weights = truncated(np.array([1.0] * 99 + [1000.0]))

    assert weights.mean() == pytest.approx(1.0)
    assert weights[-1] / weights[0] == pytest.approx(10 * (99 + 1000) / 100)


def test_contract_names_columns_that_the_table_has() -> None:
    assert FEEDBACK.name == Feedback.__tablename__
    assert {each.name for each in FEEDBACK.columns} <= set(Feedback.__table__.columns.keys())
