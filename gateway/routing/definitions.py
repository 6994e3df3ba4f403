"""Experiments and shadows as people write them, in the file or over the admin API.

Pydantic models: an unknown key, a wrong type or a value out of range is refused with its place.
What holds between several of them, `plan` checks.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.routing.hashing import SLOTS
from gateway.routing.ramp_definition import RampDefinition

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_MAX_UNITS: Final = 1000

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Slot = Annotated[int, Field(ge=0, le=SLOTS)]
Attribute = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Value = Annotated[str, Field(min_length=1, max_length=256)]


def _written_as_date(value: object) -> object:
    """Refuses what pydantic takes for seconds since 1970: whoever writes 0 did not mean a date."""
    is_text = isinstance(value, str) and not value.strip().lstrip("+-").replace(".", "").isdigit()
    if value is not None and not is_text and not isinstance(value, datetime):
        raise ValueError("is not a date and time such as 2027-01-31T09:00:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_as_date)]


class _Definition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ConditionDefinition(_Definition):
    """One rule on one attribute of the metadata; a request without the attribute fails it.

    One of `equals`, `in` and `prefix`, or a range of numbers by `min`, `max` or both, both
    included.
    """

    attribute: Attribute
    equals: Value | None = None
    one_of: Annotated[tuple[Value, ...] | None, Field(alias="in", min_length=1)] = None
    prefix: Value | None = None
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _has_one_test(self) -> Self:
        has_range = self.min is not None or self.max is not None
        tests = sum(each is not None for each in (self.equals, self.one_of, self.prefix))
        if tests + has_range != 1:
            raise ValueError("needs one of equals, in, prefix, or a range by min and max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max: nothing would pass")
        return self


class ArmDefinition(_Definition):
    """One variant of an experiment.

    Attributes:
        weight: relative to the other arms'; 0 takes the arm out of the draw.
        digest: first characters of the only digest that may serve; None: whichever serves.
    """

    weight: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
    digest: Annotated[str | None, Field(pattern=r"^[0-9a-f]{8,64}$")] = None


class OverridesDefinition(_Definition):
    """Who gets an arm without a draw, whatever the eligibility and the slots."""

    units: Annotated[dict[Value, Name], Field(max_length=_MAX_UNITS)] = {}
    keys: Annotated[dict[Value, Name], Field(max_length=_MAX_UNITS)] = {}


class ExperimentDefinition(_Definition):
    """Variants that share live traffic.

    Attributes:
        name: unique.
        layer: experiments of one layer exclude each other.
        slots: first and end of its part of the layer, of 1000; two experiments of a layer that run
            at the same time never share one.
        unit: what sticks to its arm: `unit` (the header Diptych-Unit), `key` (the API key) or
            `meta.` and an attribute.
        without_unit: what becomes of a request without it: `request` draws for each request anew,
            `exclude` leaves the request out.
        control: the arm that takes over for one that cannot serve.
        arms: by variant.
        eligibility: who takes part: those who pass all conditions.
        overrides: who gets an arm without a draw.
        is_running: False stops it, whatever the times.
        start_at: from when on, with a time zone; None: at once.
        stop_at: until when, excluded; None: without end.
        salt: of the draw; None: the name. Another one draws all units anew.
        ramp: how the other arm than the control comes to its traffic; None: by hand alone.
    """

    name: Name
    layer: Name = "default"
    slots: tuple[Slot, Slot] = (0, SLOTS)
    unit: Annotated[str, Field(pattern=r"^(unit|key|meta\.[a-z0-9][a-z0-9_.-]{0,63})$")] = "unit"
    without_unit: Literal["request", "exclude"] = "request"
    control: Name
    arms: Annotated[dict[Name, ArmDefinition], Field(min_length=1, max_length=16)]
    eligibility: Annotated[tuple[ConditionDefinition, ...], Field(max_length=16)] = ()
    overrides: OverridesDefinition = OverridesDefinition()
    is_running: bool = True
    start_at: Moment | None = None
    stop_at: Moment | None = None
    salt: Value | None = None
    ramp: RampDefinition | None = None

    @property
    def candidate(self) -> str | None:
        """The arm that is not the control; None where there is not exactly one."""
        others = [name for name in self.arms if name != self.control]
        return others[0] if len(others) == 1 else None

    def share_of(self, arm: str) -> float:
        """Returns an arm's share of the units, 0 to 1."""
        return self.arms[arm].weight / sum(each.weight for each in self.arms.values())

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.control not in self.arms:
            raise ValueError(f"control {self.control} is not one of the arms")
        if not any(arm.weight > 0 for arm in self.arms.values()):
            raise ValueError("no arm has a weight above 0")
        if self.slots[0] >= self.slots[1]:
            raise ValueError("slots are first and end: the end must be above the first")
        for unit, arm in (*self.overrides.units.items(), *self.overrides.keys.items()):
            if arm not in self.arms:
                raise ValueError(f"the override of {unit} names {arm}, which is not an arm")
        if self.ramp is not None and self.candidate is None:
            raise ValueError("a ramp needs two arms: the control and one other")
        if self.start_at and self.stop_at and self.start_at >= self.stop_at:
            raise ValueError("stop_at is not after start_at")
        return self


class ShadowDefinition(_Definition):
    """A candidate that sees a share of the traffic and answers nobody.

    Attributes:
        name: unique among shadows.
        candidate: the variant that is tried.
        of: the variant whose requests it sees; None: of every other variant.
        share: of those requests, from 0 to 1.
        deadline_ms: longest time of one call.
        max_concurrency: most calls at once; beyond it requests are not shadowed.
        is_running: False stops it.
    """

    name: Name
    candidate: Name
    of: Name | None = None
    share: Annotated[float, Field(ge=0, le=1)]
    deadline_ms: Annotated[float, Field(gt=0, le=60_000)] = 2000.0
    max_concurrency: Annotated[int, Field(ge=1, le=256)] = 2
    is_running: bool = True


class TrafficFile(_Definition):
    """A whole file.

    Attributes:
        layers: the order in which layers are asked; those not named come after, by name.
        experiments: of all layers.
        shadows: all of them.
    """

    layers: tuple[Name, ...] = ()
    experiments: tuple[ExperimentDefinition, ...] = ()
    shadows: tuple[ShadowDefinition, ...] = ()


def to_json(definition: ExperimentDefinition | ShadowDefinition) -> dict[str, Any]:
    """Returns a definition as it could have been written, defaults left out."""
    return definition.model_dump(mode="json", by_alias=True, exclude_defaults=True)
