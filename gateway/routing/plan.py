"""All experiments and shadows that are in force, checked as a whole and ready to be asked. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

from gateway.errors import TrafficPlanError
from gateway.routing.conditions import compile_condition
from gateway.routing.hashing import pick_arm, slot
from gateway.routing.reason import Reason
from gateway.value import value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.routing.conditions import Condition
    from gateway.routing.definitions import ExperimentDefinition, ShadowDefinition
    from gateway.routing.subject import Subject

_EVER: Final = float("inf")
_META: Final = "meta."
_NO_REVISION: Final = "0" * 8
# What decides who gets which arm; whether it runs, and from when to when, does not.
_DECIDING: Final = frozenset(
    {
        "name",
        "layer",
        "slots",
        "unit",
        "without_unit",
        "control",
        "arms",
        "eligibility",
        "overrides",
        "salt",
    }
)


@value
class Draw:
    """Which arm of which experiment a request got, whether that arm can serve or not.

    Attributes:
        experiment: its name.
        arm: name of a variant.
        reason: why this arm.
        is_sticky: whether the same unit gets it again; False where each request draws anew.
        layer: of the experiment.
        revision: of the experiment, see `Experiment`.
        share: of the experiment's units that the arm gets, above 0 to 1.
        unit: what the arm was drawn for, where that is one of the request's metadata.
        drawn_for: the unit, whatever it is; empty where each request draws anew.
    """

    experiment: str
    arm: str
    reason: Reason
    is_sticky: bool
    layer: str = "default"
    revision: str = _NO_REVISION
    share: float = 1.0
    unit: str | None = None
    drawn_for: str = ""


@dataclass(frozen=True, slots=True)
class Experiment:
    """An `ExperimentDefinition`, ready to be asked.

    Attributes:
        revision: 8 hexadecimal digits, the same in every replica, that change with what decides who
            gets which arm: what was seen under two of them is not from one draw.
    """

    definition: ExperimentDefinition
    revision: str
    salt: str
    weights: Mapping[str, float]
    conditions: tuple[Condition, ...]
    start_s: float
    stop_s: float

    @classmethod
    def of(cls, definition: ExperimentDefinition) -> Experiment:
        """Prepares one."""
        start, stop = definition.start_at, definition.stop_at
        return cls(
            definition,
            _revision(definition),
            definition.salt or definition.name,
            {name: arm.weight for name, arm in definition.arms.items()},
            tuple(compile_condition(each) for each in definition.eligibility),
            start.timestamp() if start else -_EVER,
            stop.timestamp() if stop else _EVER,
        )

    @property
    def name(self) -> str:
        """Its name."""
        return self.definition.name

    def is_running(self, now_s: float) -> bool:
        """Whether it takes part at a moment, in seconds since the epoch."""
        return self.definition.is_running and self.start_s <= now_s < self.stop_s

    def draw(self, subject: Subject) -> Draw | None:
        """Draws an arm; None for a caller who does not take part."""
        definition = self.definition
        unit = self._unit(subject)
        overrides = definition.overrides
        if unit is not None and (arm := overrides.units.get(unit)):
            return self._draw(arm, Reason.UNIT_OVERRIDE, unit)
        if subject.key_id is not None and (arm := overrides.keys.get(subject.key_id)):
            return self._draw(arm, Reason.KEY_OVERRIDE, unit or subject.key_id)
        if not all(holds(subject.metadata) for holds in self.conditions):
            return None
        if unit is None and definition.without_unit == "exclude":
            return None
        drawn_for = subject.request_id if unit is None else unit
        first, end = definition.slots
        if not first <= slot(definition.layer, drawn_for) < end:
            return None
        return self._draw(pick_arm(self.salt, drawn_for, self.weights), Reason.ASSIGNED, unit)

    def _draw(self, arm: str, reason: Reason, unit: str | None) -> Draw:
        definition = self.definition
        return Draw(
            self.name,
            arm,
            reason,
            is_sticky=unit is not None,
            layer=definition.layer,
            revision=self.revision,
            share=definition.share_of(arm) if reason is Reason.ASSIGNED else 1.0,
            unit=unit if definition.unit.startswith(_META) else None,
            drawn_for=unit or "",
        )

    def _unit(self, subject: Subject) -> str | None:
        source = self.definition.unit
        if source == "unit":
            return subject.unit
        if source == "key":
            return subject.key_id
        return subject.metadata.get(source.removeprefix(_META))


def _revision(definition: ExperimentDefinition) -> str:
    deciding = definition.model_dump(mode="json", by_alias=True, include=set(_DECIDING))
    text = json.dumps(deciding, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[: len(_NO_REVISION)]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is in force.

    Attributes:
        experiments: in the order in which they are asked: layer by layer.
        shadows: all of them.
    """

    experiments: tuple[Experiment, ...] = ()
    shadows: tuple[ShadowDefinition, ...] = ()

    def draw(self, subject: Subject, now_s: float) -> Draw | None:
        """Draws an arm in the first layer that has an experiment for the subject.

        One variant answers a request, so the first layer that takes it decides. Layers draw
        independently: whom a layer leaves to the next is a fair sample there.

        Args:
            subject: whom the request is for.
            now_s: seconds since the epoch.

        Returns:
            The draw, or None for a caller in no experiment.
        """
        for experiment in self.experiments:
            if experiment.is_running(now_s) and (draw := experiment.draw(subject)):
                return draw
        return None

    def control_of(self, name: str) -> str | None:
        """Returns the control of an experiment, or None when there is none of that name."""
        for experiment in self.experiments:
            if experiment.name == name:
                return experiment.definition.control
        return None


EMPTY_PLAN: Final = Plan()


def make_plan(
    experiments: Iterable[ExperimentDefinition],
    shadows: Iterable[ShadowDefinition] = (),
    layers: Sequence[str] = (),
) -> Plan:
    """Checks definitions against each other and puts them in order.

    Args:
        experiments: of all layers.
        shadows: all of them.
        layers: the order of layers; those not named come after, by name.

    Raises:
        TrafficPlanError: two have one name, two of a layer share slots while both run, or a shadow
            tries the variant that it compares with.
    """
    experiments, shadows = tuple(experiments), tuple(shadows)
    _refuse_twins("experiment", [each.name for each in experiments])
    _refuse_twins("shadow", [each.name for each in shadows])
    prepared = [Experiment.of(each) for each in experiments]
    for one, other in combinations(prepared, 2):
        if _collide(one, other):
            raise TrafficPlanError(
                f"experiments {one.name} and {other.name} of layer {one.definition.layer} share "
                "slots while both run; give them other slots, times or layers"
            )
    for shadow in shadows:
        if shadow.candidate == shadow.of:
            raise TrafficPlanError(f"shadow {shadow.name} compares {shadow.of} with itself")
    rank = {layer: position for position, layer in enumerate(layers)}
    prepared.sort(
        key=lambda each: (
            rank.get(each.definition.layer, len(rank)),
            each.definition.layer,
            each.name,
        )
    )
    return Plan(tuple(prepared), shadows)


def _refuse_twins(kind: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise TrafficPlanError(f"there are two {kind}s of the name {name}")


def _collide(one: Experiment, other: Experiment) -> bool:
    a, b = one.definition, other.definition
    return (
        a.layer == b.layer
        and a.is_running
        and b.is_running
        and max(a.slots[0], b.slots[0]) < min(a.slots[1], b.slots[1])
        and max(one.start_s, other.start_s) < min(one.stop_s, other.stop_s)
    )
