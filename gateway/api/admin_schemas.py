"""The JSON of the admin API, and how domain values become it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from gateway.routing.definitions import Name, to_json
from gateway.traffic.in_force import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.storage.tables import AuditEntry
    from gateway.traffic.in_force import Rule

MAX_AUDIT_ENTRIES: Final = 1000


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WeightBody(_Closed):
    """A weight, relative to the other arms'; 0 takes the variant out of the draw."""

    weight: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
    experiment: Name | None = None


class RuleAnswer(_Closed):
    """An experiment or a shadow as it is written, and where.

    `has_file_twin`: the file defines one of the same name, which is in force again when this one is
    deleted.
    """

    definition: dict[str, Any]
    origin: Origin
    etag: str
    has_file_twin: bool


class RulesAnswer(_Closed):
    """All of one kind, by name."""

    rules: list[RuleAnswer]


class OutcomeAnswer(_Closed):
    """What a promotion or a rollback did.

    `default` answers outside of experiments now; `stopped` are experiments that ended, `emptied`
    those in which the variant has the weight 0 now.
    """

    variant: str
    default: str | None
    stopped: list[str]
    emptied: list[str]


class AuditEntryAnswer(_Closed):
    """One change."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str


class AuditAnswer(_Closed):
    """Changes, newest first."""

    entries: list[AuditEntryAnswer]


def rule_answer(rule: Rule) -> dict[str, Any]:
    """Returns a `RuleAnswer`."""
    return {
        "definition": to_json(rule.definition),
        "origin": rule.origin,
        "etag": rule.etag,
        "has_file_twin": rule.has_file_twin and rule.origin is Origin.STORE,
    }


def audit_answer(entries: Sequence[AuditEntry]) -> dict[str, Any]:
    """Returns an `AuditAnswer`."""
    return {
        "entries": [
            {
                "id": each.id,
                "at": each.at.isoformat(),
                "actor": each.actor,
                "action": each.action,
                "target": each.target,
                "before": each.before,
                "after": each.after,
                "request_id": each.request_id,
            }
            for each in entries
        ]
    }
