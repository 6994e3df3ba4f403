"""A ramp as people write it into an experiment: steps, what each waits for, and guardrails."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.deciding.policy import Guardrails, RampPolicy, Step

Ratio = Annotated[float, Field(gt=0, lt=1)]
Percent = Annotated[float, Field(gt=0, le=100)]
Seconds = Annotated[float, Field(ge=0, le=90 * 86_400)]
Count = Annotated[int, Field(ge=0, le=10**9)]


class _Definition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepDefinition(_Definition):
    """One step; what is not said is as the ramp says for all.

    Attributes:
        percent: of the experiment's units that the candidate gets.
        min_dwell_s: least time on the step, in seconds, while it is watched.
        min_requests: least good answers of the candidate on the step.
        min_outcomes: least labelled predictions of the candidate since the ramp began.
    """

    percent: Percent
    min_dwell_s: Seconds | None = None
    min_requests: Count | None = None
    min_outcomes: Count | None = None


class GuardrailsDefinition(_Definition):
    """Bounds whose breach takes the candidate's traffic away at once; see `policy.Guardrails`.

    Attributes:
        max_failure_ratio: most requests that the service may fail.
        max_p99_ms: 99 of 100 good answers come within this.
        max_shed_ratio: most requests that a full queue may refuse.
        max_calibration_error: largest expected calibration error.
        max_ratio_to_control: how many times the control's rate a rate must be, too.
        false_alarm_days: mean time to a false alarm of a candidate exactly at its bound.
    """

    max_failure_ratio: Ratio = 0.02
    max_p99_ms: Annotated[float, Field(gt=0, le=60_000)] = 500.0
    max_shed_ratio: Ratio = 0.05
    max_calibration_error: Ratio = 0.15
    max_ratio_to_control: Annotated[float, Field(ge=1, le=100)] = 2.0
    false_alarm_days: Annotated[float, Field(ge=1, le=3650)] = 30.0


class RampDefinition(_Definition):
    """How the arm that is not the control comes to its traffic.

    Attributes:
        steps: numbers, in per cent, or `StepDefinition`s; rising.
        min_dwell_s: of each step that does not say otherwise; so are the next two.
        min_requests: see `StepDefinition`.
        min_outcomes: see `StepDefinition`.
        level: probability that the comparison of accuracies ever errs.
        margin: largest loss of accuracy, of the whole service, that is accepted.
        allocation_level: probability of a false alarm that units are missing.
        task: by whose accuracy the arms are compared; for variants with several tasks.
        guardrails: bounds that hold on all steps.
    """

    steps: Annotated[tuple[StepDefinition, ...], Field(min_length=1, max_length=32)] = (
        StepDefinition(percent=1),
        StepDefinition(percent=5),
        StepDefinition(percent=25),
        StepDefinition(percent=50),
        StepDefinition(percent=100),
    )
    min_dwell_s: Seconds = 600.0
    min_requests: Count = 100
    min_outcomes: Count = 30
    level: Ratio = 0.05
    margin: Ratio = 0.02
    allocation_level: Ratio = 0.001
    task: Annotated[str, Field(max_length=63)] = ""
    guardrails: GuardrailsDefinition = GuardrailsDefinition()

    @field_validator("steps", mode="before")
    @classmethod
    def _read_numbers(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        return [
            {"percent": each}
            if isinstance(each, int | float) and not isinstance(each, bool)
            else each
            for each in value
        ]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        percents = [each.percent for each in self.steps]
        if any(high <= low for low, high in pairwise(percents)):
            raise ValueError("steps must rise, such as 1, 5, 25, 50, 100")
        return self

    def policy(self, control: str, candidate: str) -> RampPolicy:
        """Returns it as the decisions read it."""
        return RampPolicy(
            candidate=candidate,
            control=control,
            steps=tuple(self._step(each) for each in self.steps),
            level=self.level,
            margin=self.margin,
            allocation_level=self.allocation_level,
            guardrails=Guardrails(**self.guardrails.model_dump()),
        )

    def _step(self, step: StepDefinition) -> Step:
        return Step(
            share=step.percent / 100,
            min_dwell_s=self.min_dwell_s if step.min_dwell_s is None else step.min_dwell_s,
            min_requests=self.min_requests if step.min_requests is None else step.min_requests,
            min_outcomes=self.min_outcomes if step.min_outcomes is None else step.min_outcomes,
        )
