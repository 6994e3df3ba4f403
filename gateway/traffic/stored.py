"""Reads what admins wrote: rules and promotions in SQL, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError
from sqlalchemy import select

from gateway.errors import TrafficPlanError
from gateway.routing.definitions import ExperimentDefinition, ShadowDefinition
from gateway.storage.tables import Promotion, RoutingRevision, TrafficRule
from gateway.traffic.file import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session


class Kind(StrEnum):
    """What a rule is."""

    EXPERIMENT = "experiment"
    SHADOW = "shadow"


Definition = ExperimentDefinition | ShadowDefinition
RuleKey = tuple[Kind, str]
"""Kind and name."""

MODELS: Final[dict[Kind, type[ExperimentDefinition] | type[ShadowDefinition]]] = {
    Kind.EXPERIMENT: ExperimentDefinition,
    Kind.SHADOW: ShadowDefinition,
}
_FIRST: Final = 1  # the only row of its table


@dataclass(frozen=True, slots=True)
class StoredRule:
    """One rule and its version."""

    definition: Definition
    version: int


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is stored.

    Attributes:
        revision: moves with every change; -1 before anything was read.
        rules: by kind and name.
        promoted: the variant that is the default, or None.
    """

    revision: int = -1
    rules: Mapping[RuleKey, StoredRule] = field(default_factory=dict)
    promoted: str | None = None


NOTHING_STORED: Final = Stored()


def read_revision(session: Session) -> int:
    """Returns the revision of what is stored."""
    return session.get_one(RoutingRevision, _FIRST).revision


def lock_revision(session: Session) -> RoutingRevision:
    """Returns the row of the revision, locked until the transaction ends; see the table."""
    return session.get_one(RoutingRevision, _FIRST, with_for_update=True)


def read_stored(session: Session) -> Stored:
    """Reads everything.

    Raises:
        TrafficPlanError: a rule is not one that this release understands.
    """
    # First: what a writer adds meanwhile then has a later revision, and is read again.
    revision = read_revision(session)
    rules: dict[RuleKey, StoredRule] = {}
    for row in session.scalars(select(TrafficRule)):
        try:
            kind = Kind(row.kind)
            definition = MODELS[kind].model_validate(row.definition)
        except ValidationError as error:
            raise TrafficPlanError(f"{row.kind} {row.name}: {describe(error)}") from error
        except ValueError as error:
            raise TrafficPlanError(f"{row.name} is a {row.kind}, which is not known") from error
        rules[kind, row.name] = StoredRule(definition, row.version)
    return Stored(revision, rules, current_promotion(session))


def current_promotion(session: Session) -> str | None:
    """Returns the variant that was promoted last and not rolled back."""
    return session.scalar(
        select(Promotion.variant)
        .where(Promotion.rolled_back_at.is_(None))
        .order_by(Promotion.id.desc())
        .limit(1)
    )
