from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from gateway.errors import ConflictError, StorageUnavailableError
from gateway.ramping.lease import LEASE_S
from gateway.ramping.state import Status
from gateway.storage.tables import AuditEntry
from tests.gateway.ramping.replicas import Replica, label, ramped

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

pytestmark = pytest.mark.anyio

Replicas = tuple[Replica, Replica]


async def pass_step(replica: Replica, *others: Replica) -> None:
    """Gives a step all that it waits for, split over replicas."""
    for each in (replica, *others):
        share = replica.share()
        each.serve("demo", round(60 * (1 - share)))
        each.serve("other", round(60 * share))
    await label(replica, "demo", 360, 400)
    await label(replica, "other", 360, 400)
    for each in others:
        await each.controller.flush()
    await replica.look(6)


async def test_ramp_goes_step_by_step_on_what_all_replicas_have_seen(replicas: Replicas) -> None:
    one, other = replicas
    await one.command("start")
    assert one.share() == pytest.approx(0.1)
    await other.look()  # leads
    await other.live.refresh()
    await pass_step(other, one)
    assert other.share() == pytest.approx(0.5)
    await pass_step(other, one)
    assert other.share() == 1.0
    await pass_step(other, one)
    assert (await one.ramp()).status is Status.COMPLETED
    decisions = await one.decisions()
    assert [each.action for each in decisions] == ["start", "advance", "advance", "complete"]
    assert [each.share for each in decisions] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    assert decisions[1].figures["outcomes"] == {"control": 400, "candidate": 400}
    assert {each.token for each in decisions[1:]} == {other.lease.token}


async def test_step_waits_for_labels_and_says_so(on_sqlite: Replicas) -> None:
    one, _ = on_sqlite
    await one.command("start")
    one.serve("demo", 90)
    one.serve("other", 10)
    await one.look(10)
    record = await one.ramp()
    assert record.state.ramp.step == 0
    assert record.look["reasons"] == ["outcomes", "accuracy"]


async def test_broken_candidate_is_rolled_back_within_seconds(replicas: Replicas) -> None:
    one, other = replicas
    await one.command("start")
    seconds = 0
    while (await one.ramp()).status is Status.RUNNING:
        one.serve("demo", 18)
        one.serve("other", 2, "backend_failure")
        await one.look()
        seconds += 1
        assert seconds < 10
    record = await one.ramp()
    assert record.status is Status.ROLLED_BACK
    await other.live.refresh()
    assert one.share() == other.share() == 0.0
    last = (await one.decisions())[-1]
    assert (last.action, last.reasons, last.actor) == ("roll_back", ["guardrail_failures"], "ramp")
    assert last.figures["requests"]["candidate"] == 2 * seconds
    audit = await one.database.read(
        lambda session: list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))
    )
    assert (audit[-1].action, audit[-1].actor) == ("experiment.ramp", "ramp")


async def test_candidate_with_wrong_answers_is_rolled_back_by_feedback(on_sqlite: Replicas) -> None:
    one, _ = on_sqlite
    await one.command("start")
    await label(one, "demo", 900, 1000)
    await label(one, "other", 60, 200)
    await one.look(3)
    last = (await one.decisions())[-1]
    assert last.action == "roll_back"
    assert "guardrail_accuracy" in last.reasons


async def test_leader_that_dies_is_followed_by_another_where_it_was(replicas: Replicas) -> None:
    one, other = replicas
    await one.command("start")
    await one.look(2)
    watched_s = (await one.ramp()).state.ramp.watched_s
    token = one.lease.token
    # From here on the first says nothing more.
    for _ in range(int(LEASE_S) + 2):
        await other.look()
    assert other.lease.token == token + 1
    await pass_step(other)
    assert other.share() == pytest.approx(0.5)
    assert (await other.decisions())[-1].token == token + 1
    assert watched_s >= 1
    # The first wakes up, and moves nothing.
    await one.look(2)
    assert (await one.decisions())[-1].token == token + 1


async def test_broken_candidate_of_a_paused_ramp_is_rolled_back_all_the_same(
    on_sqlite: Replicas,
) -> None:
    one, _ = on_sqlite
    await one.command("start")
    await one.command("pause")
    await pass_step(one)
    assert one.share() == pytest.approx(0.1)
    assert (await one.ramp()).look["reasons"] == ["paused"]
    one.serve("other", 12, "backend_failure")
    await one.look(2)
    assert (await one.ramp()).status is Status.ROLLED_BACK


async def test_change_by_hand_pauses_and_resume_sets_the_share_again(on_sqlite: Replicas) -> None:
    one, _ = on_sqlite
    await one.command("start")
    await one.look()
    await one.put(ramped())  # half and half, as the experiment was before
    await one.look(2)
    last = (await one.decisions())[-1]
    assert (last.action, last.reasons) == ("pause", ["changed_by_hand"])
    await one.command("resume")
    assert one.share() == pytest.approx(0.1)
    assert (await one.ramp()).status is Status.RUNNING


async def test_abort_gives_all_to_the_control_and_a_new_start_begins_anew(
    on_sqlite: Replicas,
) -> None:
    one, _ = on_sqlite
    await one.command("start")
    await pass_step(one)
    await one.command("abort")
    assert one.share() == 0.0
    record = await one.command("start")
    assert (record.status, record.state.ramp.step) == (Status.RUNNING, 0)
    await one.look(5)
    assert "requests" in (await one.ramp()).look["reasons"]  # what came before is no evidence


async def test_commands_that_do_not_fit_are_refused(on_sqlite: Replicas) -> None:
    one, _ = on_sqlite
    for command in ("pause", "resume", "abort"):
        with pytest.raises(ConflictError, match="never started"):
            await one.command(command)
    await one.command("start")
    with pytest.raises(ConflictError, match="running already"):
        await one.command("start")
    await one.put(ramped().model_copy(update={"ramp": None}))
    await one.command("abort")
    with pytest.raises(ConflictError, match="declares no ramp"):
        await one.command("start")


async def test_database_that_is_away_stops_the_ramp_and_arms_the_fuse(
    on_sqlite: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = on_sqlite
    await one.command("start")
    await one.look(2)
    watched_s = (await one.ramp()).state.ramp.watched_s

    async def away(work: Callable[[Session], object], *, writes: bool) -> object:
        raise StorageUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(one.database, "_run", away)
        for _ in range(8):
            one.serve("demo", 18)
            one.serve("other", 2, "backend_failure")
            await one.look()
        assert one.held_back[-1] == {("heads", "other")}
    record = await one.ramp()
    assert record.state.ramp.watched_s == watched_s
    assert record.status is Status.RUNNING
    # Back again: what was counted meanwhile is evidence, and the leader rolls back.
    await one.look(2)
    assert (await one.ramp()).status is Status.ROLLED_BACK
    assert one.held_back[-1] == frozenset()
