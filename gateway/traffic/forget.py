"""Takes a unit out of the overrides of stored experiments, and of what the audit says of them.

Overrides name units as requests do, in the clear: an admin wrote them. The experiments file is not
ours to change; `named_in_file` says where it names a unit.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import or_, select

from gateway.storage.tables import AuditEntry, TrafficRule
from gateway.traffic.stored import lock_revision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from gateway.routing.definitions import TrafficFile

_EXPERIMENT: Final = "experiment"


def forget_overrides(session: Session, unit: str, now: datetime) -> int:
    """Takes a unit out, in the transaction of the session; replicas hear of it as of any change.

    Args:
        session: of the store.
        unit: the unit key, as the requests had it.
        now: the moment.

    Returns:
        How many overrides and audit entries named it.
    """
    revision = lock_revision(session)
    rules = 0
    for rule in session.scalars(select(TrafficRule).where(TrafficRule.kind == _EXPERIMENT)):
        without = _without(rule.definition, unit)
        if without is not None:
            rule.definition, rule.changed_at = without, now
            rule.version += 1
            rules += 1
    if rules:
        revision.revision += 1
    audited = 0
    told = or_(AuditEntry.before.is_not(None), AuditEntry.after.is_not(None))
    for entry in session.scalars(select(AuditEntry).where(told)):
        before, after = (_without(each, unit) for each in (entry.before, entry.after))
        audited += before is not None or after is not None
        entry.before = entry.before if before is None else before
        entry.after = entry.after if after is None else after
    return rules + audited


def named_in_file(file: TrafficFile, unit: str) -> Sequence[str]:
    """Returns the experiments of the file that have an override for a unit."""
    return [each.name for each in file.experiments if unit in each.overrides.units]


def _without(definition: dict[str, Any] | None, unit: str) -> dict[str, Any] | None:
    """Returns an experiment's definition without a unit, or None where it does not name it."""
    overrides = (definition or {}).get("overrides")
    units = overrides.get("units") if isinstance(overrides, dict) else None
    if not isinstance(units, dict) or unit not in units:
        return None
    without = copy.deepcopy(definition)
    assert without is not None  # noqa: S101  # it has overrides
    del without["overrides"]["units"][unit]
    return without
