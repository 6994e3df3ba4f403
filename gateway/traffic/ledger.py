"""One change of what is stored: locked, checked as a whole, audited, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import (
    ConflictError,
    PreconditionFailedError,
    TrafficPlanError,
    UnknownRuleError,
)
from gateway.routing.definitions import ExperimentDefinition, to_json
from gateway.storage.tables import Promotion, TrafficRule
from gateway.suggestion import did_you_mean
from gateway.traffic.audit import Actor, Change, record
from gateway.traffic.in_force import InForce, Origin, Rule, key_of, merge
from gateway.traffic.stored import Kind, current_promotion, lock_revision, read_stored

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from gateway.routing.definitions import TrafficFile
    from gateway.traffic.stored import Definition, RuleKey


class Ledger:
    """What a change may do within its transaction. To be used in a storage thread.

    Args:
        session: of the transaction; the revision is locked from here on.
        file: what the file says.
        actor: who makes the change.
        now: the moment of the change.
    """

    def __init__(self, session: Session, file: TrafficFile, actor: Actor, now: datetime) -> None:
        self._session = session
        self._file = file
        self._actor = actor
        self._now = now
        self._revision = lock_revision(session)
        self.in_force = self._merged()

    def rule(self, key: RuleKey) -> Rule:
        """Returns a rule.

        Raises:
            UnknownRuleError: there is none.
        """
        rule = self.in_force.rules.get(key)
        if rule is None:
            kind, name = key
            known = [each for found, each in self.in_force.rules if found is kind]
            raise UnknownRuleError(
                f"{kind}_unknown",
                f"There is no {kind} of that name. {did_you_mean(name, known)}",
                field="name",
            )
        return rule

    def require(self, key: RuleKey, etag: str | None) -> None:
        """Refuses to change a rule of which the caller knows another state.

        Args:
            key: of the rule.
            etag: what the caller read; `*` when it must exist; None when anything will do.

        Raises:
            PreconditionFailedError: it is another.
        """
        if etag is None:
            return
        rule = self.in_force.rules.get(key)
        if rule is None or (etag not in {"*", rule.etag}):
            raise PreconditionFailedError(
                "etag_mismatch",
                "It has changed since it was read: read it again, and send its new ETag.",
                field="If-Match",
            )

    def require_none(self, key: RuleKey) -> None:
        """Refuses to make a rule that exists.

        Raises:
            PreconditionFailedError: it exists.
        """
        if key in self.in_force.rules:
            raise PreconditionFailedError(
                "exists_already", "One of that name exists already.", field="If-None-Match"
            )

    def put(self, definition: Definition, action: str) -> Rule:
        """Stores a rule; nothing happens when it is in force like that already.

        Raises:
            ConflictError: it does not fit the other rules.
        """
        key = key_of(definition)
        before = self.in_force.rules.get(key)
        if before is not None and before.definition == definition:
            return before
        kind, name = key
        row = self._session.get(TrafficRule, (kind.value, name))
        if row is None:
            row = TrafficRule(kind=kind.value, name=name, version=0)
            self._session.add(row)
        row.definition = to_json(definition)
        row.version += 1
        row.changed_at = self._now
        old = to_json(before.definition) if before else None
        self._changed(Change(f"{kind}.{action}", name, old, row.definition))
        return self.in_force.rules[key]

    def delete(self, key: RuleKey) -> None:
        """Deletes a stored rule; the file's of the same name is in force again.

        Raises:
            UnknownRuleError: there is none.
            ConflictError: it is the file's, which is not ours to change.
        """
        rule = self.rule(key)
        kind, name = key
        if rule.origin is Origin.FILE:
            raise ConflictError(
                "rule_of_the_file",
                f"The {kind} stands in the file: remove it there, or stop it here.",
                field="name",
            )
        self._session.delete(self._session.get_one(TrafficRule, (kind.value, name)))
        self._changed(Change(f"{kind}.delete", name, to_json(rule.definition), None))

    def promote(self, variant: str) -> None:
        """Makes a variant the default; nothing happens when it is already."""
        before = current_promotion(self._session)
        if before == variant:
            return
        self._session.add(Promotion(variant=variant, promoted_at=self._now))
        self._changed(
            Change("variant.promote", variant, {"promoted": before}, {"promoted": variant})
        )

    def demote(self, variant: str) -> None:
        """Takes back all promotions of a variant since another one was the default."""
        while current_promotion(self._session) == variant:
            row = self._latest_promotion()
            row.rolled_back_at = self._now
            self._session.flush()
        after = current_promotion(self._session)
        self._changed(Change("variant.demote", variant, {"promoted": variant}, {"promoted": after}))

    def _latest_promotion(self) -> Promotion:
        return (
            self._session.query(Promotion)
            .filter(Promotion.rolled_back_at.is_(None))
            .order_by(Promotion.id.desc())
            .limit(1)
            .one()
        )

    def _changed(self, change: Change) -> None:
        record(self._session, self._actor, change, self._now)
        self._revision.revision += 1
        self._session.flush()
        self.in_force = self._merged()

    def _merged(self) -> InForce:
        try:
            return merge(self._file, read_stored(self._session))
        except TrafficPlanError as error:
            raise ConflictError("rules_collide", f"Refused: {error}.") from error


def experiments_with(in_force: InForce, variant: str) -> list[Rule]:
    """Returns the running experiments that have a variant as an arm."""
    return [
        rule
        for (kind, _), rule in sorted(in_force.rules.items())
        if kind is Kind.EXPERIMENT
        and isinstance(rule.definition, ExperimentDefinition)
        and rule.definition.is_running
        and variant in rule.definition.arms
    ]
