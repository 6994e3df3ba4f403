"""Writes what was decided on a ramp: traffic, state, audit and the decision, in one transaction.

Locks are taken in one order everywhere: the traffic rules, then the ramp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.deciding.ramp import Action, RampState, figures
from gateway.errors import ConflictError, UnknownRuleError
from gateway.ramping.evidence import read_counted
from gateway.ramping.record import definition_of, has_share, policy_json, record_of, set_share
from gateway.ramping.state import UNDER_WAY, Status, StoredState
from gateway.storage.ramp_tables import Ramp, RampDecision
from gateway.traffic.ledger import Ledger
from gateway.traffic.stored import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from gateway.deciding.guardrails import ArmCounts
    from gateway.deciding.ramp import Look
    from gateway.ramping.record import RampRecord
    from gateway.routing.definitions import TrafficFile
    from gateway.traffic.audit import Actor

LEADER = "ramp"
"""Who is the actor of what the leader decides."""

_STATUS_AFTER = {
    Action.ADVANCE: Status.RUNNING,
    Action.COMPLETE: Status.COMPLETED,
    Action.PAUSE: Status.PAUSED,
    Action.ROLL_BACK: Status.ROLLED_BACK,
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What each of the following needs.

    Attributes:
        session: of a transaction that writes.
        file: what the file of experiments says.
        actor: who decides.
        now: the moment.
        token: of the leader's lease; 0 for people.
    """

    session: Session
    file: TrafficFile
    actor: Actor
    now: datetime
    token: int = 0

    def ledger(self) -> Ledger:
        """Locks the traffic rules."""
        return Ledger(self.session, self.file, self.actor, self.now)

    def row(self, experiment: str) -> Ramp | None:
        """Locks a ramp."""
        return self.session.get(Ramp, experiment, with_for_update=True, populate_existing=True)


def apply(desk: Desk, record: RampRecord, found: Look, counted: Mapping[str, ArmCounts]) -> bool:
    """Writes what a look has found and does what it decided.

    Args:
        desk: of the leader, whose lease was checked in this transaction.
        record: the ramp that was looked at.
        found: by the look.
        counted: tallies that the look has taken in.

    Returns:
        False when somebody has changed the ramp since it was read: then nothing is written.
    """
    ledger = None if found.action is Action.HOLD else desk.ledger()
    row = desk.row(record.experiment)
    if row is None or row.version != record.version or row.status != record.status:
        return False
    row.state = StoredState(found.state, counted).to_json()
    row.look = {
        "action": found.action.value,
        "reasons": list(found.reasons),
        "figures": figures(found, record.policy),
    }
    row.looked_at = desk.now
    if ledger is None:
        return True
    _turn(row, _STATUS_AFTER[found.action])
    after = record_of(row)
    if found.action in {Action.ADVANCE, Action.ROLL_BACK}:
        set_share(ledger, record.experiment, after.share)
    _decide(desk, after, found.action, found.reasons, row.look["figures"])
    return True


def pause_changed(desk: Desk, record: RampRecord) -> str | None:
    """Pauses a ramp whose experiment is no longer as the ramp has set it.

    Args:
        desk: of the leader.
        record: the ramp.

    Returns:
        The reason, or None when all is as it was set, or somebody has changed the ramp meanwhile.
    """
    ledger = desk.ledger()
    row = desk.row(record.experiment)
    if row is None or row.version != record.version:
        return None
    try:
        rule = ledger.rule((Kind.EXPERIMENT, record.experiment))
    except UnknownRuleError:
        reason = "experiment_gone"
    else:
        if has_share(definition_of(rule), record):
            return None
        reason = "changed_by_hand"
    _turn(row, Status.PAUSED)
    _decide(desk, record_of(row), Action.PAUSE, (reason,), {})
    return reason


def start(desk: Desk, experiment: str) -> RampRecord:
    """Begins a ramp at its first step; what came before is no evidence.

    Raises:
        UnknownRuleError: there is no such experiment.
        ConflictError: it declares no ramp, does not run, or its ramp is under way.
    """
    ledger = desk.ledger()
    definition = definition_of(ledger.rule((Kind.EXPERIMENT, experiment)))
    if definition.ramp is None:
        raise ConflictError(
            "no_ramp", "The experiment declares no ramp: write one into it first.", field="name"
        )
    if not definition.is_running:
        raise ConflictError(
            "experiment_stopped", "The experiment is stopped: start it first.", field="name"
        )
    row = desk.row(experiment)
    if row is not None and row.status in UNDER_WAY:
        raise ConflictError(
            "ramp_under_way",
            f"The ramp is {row.status} already: resume it, or abort it first.",
            field="name",
        )
    slow_ms = definition.ramp.guardrails.max_p99_ms
    counted = read_counted(desk.session, experiment, "", slow_ms)
    row = row or Ramp(experiment=experiment, version=0)
    row.policy = policy_json(definition, definition.ramp)
    row.state = StoredState(RampState(), counted.totals).to_json()
    row.look = {}
    row.started_at = row.looked_at = desk.now
    _turn(row, Status.RUNNING)
    desk.session.add(row)
    record = record_of(row)
    set_share(ledger, experiment, record.share)
    _decide(desk, record, "start", (), {})
    return record


def pause(desk: Desk, experiment: str) -> RampRecord:
    """Holds a ramp where it is. Raises as `resume` does."""
    return _change(desk, experiment, "pause", (Status.RUNNING,), Status.PAUSED)


def resume(desk: Desk, experiment: str) -> RampRecord:
    """Goes on with a ramp on its step, whose shares are set again.

    Raises:
        UnknownRuleError: there is no such experiment.
        ConflictError: no ramp of it is in a state that allows this.
    """
    return _change(desk, experiment, "resume", (Status.PAUSED,), Status.RUNNING)


def abort(desk: Desk, experiment: str) -> RampRecord:
    """Ends a ramp and gives all units to the control. Raises as `resume` does."""
    return _change(desk, experiment, "abort", tuple(UNDER_WAY), Status.ABORTED)


def _change(
    desk: Desk, experiment: str, action: str, allowed: tuple[Status, ...], status: Status
) -> RampRecord:
    ledger = desk.ledger()
    ledger.rule((Kind.EXPERIMENT, experiment))
    row = desk.row(experiment)
    if row is None or row.status not in allowed:
        state = "was never started" if row is None else f"is {row.status}"
        raise ConflictError(
            "ramp_state", f"The ramp {state}: it cannot {action} now.", field="name"
        )
    _turn(row, status)
    record = record_of(row)
    if status is not Status.PAUSED:
        set_share(ledger, experiment, record.share)
    _decide(desk, record, action, (), dict(row.look.get("figures", {})))
    return record


def _turn(row: Ramp, status: Status) -> None:
    row.status = status.value
    row.version = (row.version or 0) + 1


def _decide(
    desk: Desk,
    record: RampRecord,
    action: str,
    reasons: tuple[str, ...],
    known: dict[str, Any],
) -> None:
    desk.session.add(
        RampDecision(
            at=desk.now,
            experiment=record.experiment,
            action=str(action),
            step=record.state.ramp.step,
            share=record.share,
            reasons=list(reasons),
            figures=known,
            actor=desk.actor.key_id,
            token=desk.token,
        )
    )
    desk.session.flush()
