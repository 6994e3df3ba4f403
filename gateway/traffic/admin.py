"""What an admin can do to live traffic; the REST routes translate to it.

Every change is made in the store, checked against all that is in force, audited in the same
transaction, and in force in this replica when the call returns; in others after their next look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from gateway.errors import (
    ConflictError,
    StorageNotConfiguredError,
    UnknownVariantError,
    VariantUnavailableError,
)
from gateway.suggestion import did_you_mean
from gateway.traffic.audit import read_audit
from gateway.traffic.in_force import key_of
from gateway.traffic.ledger import Ledger, experiments_with
from gateway.traffic.stored import Kind
from gateway.traffic.weights import experiment_of, weighted, withdraw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

    from gateway.catalog import Catalog
    from gateway.routing.router import Router
    from gateway.storage.database import Database
    from gateway.storage.tables import AuditEntry
    from gateway.traffic.audit import Actor
    from gateway.traffic.in_force import Rule
    from gateway.traffic.live import LiveTraffic
    from gateway.traffic.stored import Definition, RuleKey

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for a change; see RFC 9110, 13.1.

    Attributes:
        etag: of `If-Match`, or None.
        is_new: whether `If-None-Match: *` was sent.
    """

    etag: str | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a promotion or a rollback did.

    Attributes:
        variant: that it was about.
        default: the variant that answers outside of experiments now.
        stopped: experiments that it ended.
        emptied: experiments in which the variant has the weight 0 now.
    """

    variant: str
    default: str | None
    stopped: list[str]
    emptied: list[str]


class TrafficAdmin:
    """The use cases.

    Args:
        database: the store, or None.
        live: what is in force.
        catalog: returns what is served now.
        router: knows the default.
    """

    def __init__(
        self,
        database: Database | None,
        live: LiveTraffic,
        catalog: Callable[[], Catalog],
        router: Router,
    ) -> None:
        self._database = database
        self._live = live
        self._catalog = catalog
        self._router = router

    async def put(self, definition: Definition, condition: Condition, actor: Actor) -> Rule:
        """Writes a rule, new or in place of another. The same again changes nothing.

        Raises:
            ConflictError: it does not fit the other rules.
            PreconditionFailedError: `condition` does not hold.
            StorageUnavailableError: not now; also StorageOutdatedError.
            StorageNotConfiguredError: there is no store.
        """

        def work(ledger: Ledger) -> Rule:
            key = key_of(definition)
            if condition.is_new:
                ledger.require_none(key)
            ledger.require(key, condition.etag)
            return ledger.put(definition, "put")

        return await self._change(work, actor)

    async def delete(self, key: RuleKey, condition: Condition, actor: Actor) -> None:
        """Deletes a stored rule. Raises as `put` does, and UnknownRuleError."""

        def work(ledger: Ledger) -> None:
            ledger.require(key, condition.etag)
            ledger.delete(key)

        await self._change(work, actor)

    async def set_running(
        self, key: RuleKey, is_running: bool, condition: Condition, actor: Actor
    ) -> Rule:
        """Starts or stops a rule. Raises as `put` does, and UnknownRuleError."""

        def work(ledger: Ledger) -> Rule:
            definition = ledger.rule(key).definition
            ledger.require(key, condition.etag)
            changed = definition.model_copy(update={"is_running": is_running})
            return ledger.put(changed, "start" if is_running else "stop")

        return await self._change(work, actor)

    async def set_weight(
        self,
        variant: str,
        weight: float,
        experiment: str | None,
        condition: Condition,
        actor: Actor,
    ) -> Rule:
        """Sets the weight of a variant in an experiment.

        Args:
            variant: an arm.
            weight: at least 0.
            experiment: its name; None: the only running one that has the variant.
            condition: on the experiment.
            actor: who does it.

        Raises:
            ConflictError: no experiment has the variant, several have, or no weight would be left.
            UnknownRuleError: there is no such experiment. Further as `put` does.
        """

        def work(ledger: Ledger) -> Rule:
            rule = experiment_of(ledger, variant, experiment)
            ledger.require((Kind.EXPERIMENT, rule.definition.name), condition.etag)
            return ledger.put(weighted(rule, variant, weight), "weight")

        return await self._change(work, actor)

    async def promote(self, variant: str, actor: Actor) -> Outcome:
        """Makes a variant the default, and ends the running experiments that it is part of.

        Raises:
            UnknownVariantError: no such variant exists.
            VariantUnavailableError: it is not served now. Further as `put` does.
        """
        self._require_served(variant)

        def work(ledger: Ledger) -> list[str]:
            running = experiments_with(ledger.in_force, variant)
            for rule in running:
                ledger.put(rule.definition.model_copy(update={"is_running": False}), "stop")
            ledger.promote(variant)
            return [rule.definition.name for rule in running]

        stopped = await self._change(work, actor)
        return Outcome(variant, self._default(), stopped, [])

    async def roll_back(self, variant: str, actor: Actor) -> Outcome:
        """Takes a variant out of all traffic that does not ask for it by name.

        In running experiments it gets the weight 0; those that it controls end. When it is the
        default, the one before is again; where none was promoted before, the newest other variant.

        Raises:
            UnknownVariantError: no such variant exists.
            ConflictError: it answers nothing, or nothing else is served. Further as `put` does.
        """
        if not self._catalog().is_known(variant) and not self._is_arm(variant):
            raise _unknown(variant, self._catalog())
        default = self._default()

        def work(ledger: Ledger) -> tuple[list[str], list[str]]:
            stopped, emptied = withdraw(ledger, variant)
            if ledger.in_force.traffic.promoted == variant:
                ledger.demote(variant)
            if default == variant and ledger.in_force.traffic.promoted is None:
                ledger.promote(self._newest_other(variant))
            elif not stopped and not emptied and default != variant:
                raise ConflictError(
                    "nothing_to_roll_back",
                    "The variant answers nothing but requests that name it.",
                    field="variant",
                )
            return stopped, emptied

        stopped, emptied = await self._change(work, actor)
        return Outcome(variant, self._default(), stopped, emptied)

    async def audit(
        self, *, limit: int, before_id: int | None, target: str | None
    ) -> Sequence[AuditEntry]:
        """Returns entries of the audit, newest first. Raises as `put` does."""
        return await self._store().read(
            lambda session: read_audit(session, limit=limit, before_id=before_id, target=target)
        )

    async def _change(self, work: Callable[[Ledger], _Result], actor: Actor) -> _Result:
        file, now = self._live.file, datetime.now(UTC)

        def run(session: Session) -> _Result:
            return work(Ledger(session, file, actor, now))

        result = await self._store().write(run)
        await self._live.refresh()
        return result

    def _store(self) -> Database:
        if self._database is None:
            raise StorageNotConfiguredError
        return self._database

    def _require_served(self, variant: str) -> None:
        catalog = self._catalog()
        if variant in catalog.variants:
            return
        if catalog.is_known(variant):
            raise VariantUnavailableError
        raise _unknown(variant, catalog)

    def _is_arm(self, variant: str) -> bool:
        return bool(experiments_with(self._live.in_force, variant))

    def _default(self) -> str | None:
        try:
            return self._router.default().variant.name
        except VariantUnavailableError:
            return None

    def _newest_other(self, variant: str) -> str:
        others = [each for each in self._catalog().variants.values() if each.name != variant]
        if not others:
            raise ConflictError(
                "nothing_else_served",
                "No other variant is served that could answer instead; publish one first.",
                field="variant",
            )
        return max(others, key=lambda each: each.precedence).name


def _unknown(variant: str, catalog: Catalog) -> UnknownVariantError:
    return UnknownVariantError(
        "variant_unknown",
        f"No variant of that name is served. {did_you_mean(variant, catalog.variants)}",
        field="variant",
    )
