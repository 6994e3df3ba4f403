"""A ramp as the database has it: read, and made when one is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from sqlalchemy import select

from gateway.errors import StorageOutdatedError
from gateway.ramping.state import UNDER_WAY, Status, StoredState
from gateway.routing.definitions import ExperimentDefinition
from gateway.routing.ramp_definition import RampDefinition
from gateway.storage.ramp_tables import Ramp, RampDecision
from gateway.traffic.stored import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from gateway.deciding.policy import RampPolicy
    from gateway.traffic.in_force import Rule
    from gateway.traffic.ledger import Ledger

WHOLE: Final = 100.0
"""Sum of the weights that a ramp sets: a weight is a share in per cent."""


@dataclass(frozen=True, slots=True)
class RampRecord:
    """A ramp.

    Attributes:
        experiment: its name.
        status: where it is.
        policy: as declared when it was started.
        task: by whose labels the arms are compared.
        state: of the decisions.
        look: what the last look found; empty before the first.
        version: one more with each change of status or step.
        started_at: when it was started.
        looked_at: when it was looked at last.
    """

    experiment: str
    status: Status
    policy: RampPolicy
    task: str
    state: StoredState
    look: Mapping[str, Any]
    version: int
    started_at: datetime
    looked_at: datetime

    @property
    def share(self) -> float:
        """The candidate's share of the units now, 0 to 1."""
        is_out = self.status in {Status.ROLLED_BACK, Status.ABORTED}
        return 0.0 if is_out else self.policy.steps[self.state.ramp.step].share


def read_ramps(session: Session) -> list[RampRecord]:
    """Returns the ramps that are under way."""
    wanted = [status.value for status in UNDER_WAY]
    rows = session.scalars(select(Ramp).where(Ramp.status.in_(wanted)).order_by(Ramp.experiment))
    return [record_of(row) for row in rows]


def read_ramp(session: Session, experiment: str) -> RampRecord | None:
    """Returns the ramp of an experiment, or None where none was ever started."""
    row = session.get(Ramp, experiment)
    return None if row is None else record_of(row)


def read_decisions(session: Session, experiment: str, *, limit: int) -> Sequence[RampDecision]:
    """Returns the decisions on an experiment, newest first."""
    return session.scalars(
        select(RampDecision)
        .where(RampDecision.experiment == experiment)
        .order_by(RampDecision.id.desc())
        .limit(limit)
    ).all()


def record_of(row: Ramp) -> RampRecord:
    """Reads a row.

    Raises:
        StorageOutdatedError: another release has written what this one does not understand.
    """
    try:
        declared = RampDefinition.model_validate(row.policy["ramp"])
    except ValidationError as error:
        raise StorageOutdatedError(
            f"The ramp of {row.experiment} was started by another release; this one leaves it."
        ) from error
    return RampRecord(
        experiment=row.experiment,
        status=Status(row.status),
        policy=declared.policy(row.policy["control"], row.policy["candidate"]),
        task=declared.task,
        state=StoredState.from_json(row.state),
        look=row.look,
        version=row.version,
        started_at=row.started_at,
        looked_at=row.looked_at,
    )


def policy_json(definition: ExperimentDefinition, ramp: RampDefinition) -> dict[str, Any]:
    """Returns what `Ramp.policy` holds."""
    return {
        "control": definition.control,
        "candidate": definition.candidate,
        "ramp": ramp.model_dump(mode="json"),
    }


def set_share(ledger: Ledger, experiment: str, share: float) -> None:
    """Gives the candidate a share of the units and the control the rest.

    Raises:
        UnknownRuleError: there is no such experiment any more.
        ConflictError: it does not fit the other rules.
    """
    definition = definition_of(ledger.rule((Kind.EXPERIMENT, experiment)))
    weights = {definition.control: WHOLE * (1 - share)}
    arms = {
        name: arm.model_copy(update={"weight": weights.get(name, WHOLE * share)})
        for name, arm in definition.arms.items()
    }
    ledger.put(definition.model_copy(update={"arms": arms}), "ramp")


def has_share(definition: ExperimentDefinition, record: RampRecord) -> bool:
    """Whether an experiment runs as its ramp has set it, and nobody has changed it by hand."""
    policy = record.policy
    return (
        definition.is_running
        and definition.control == policy.control
        and definition.candidate == policy.candidate
        and abs(definition.share_of(policy.candidate) - record.share) < 1e-9
    )


def definition_of(rule: Rule) -> ExperimentDefinition:
    """Returns the definition of a rule that is an experiment."""
    assert isinstance(rule.definition, ExperimentDefinition)  # noqa: S101 - for the type
    return rule.definition
