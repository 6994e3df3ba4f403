"""The JSON of `GET /v1/experiments/{name}/results`, as OpenAPI describes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UnavailableAnswer(_Closed):
    """In place of something that is not known: why, and what to do."""

    unavailable_because: str
    detail: str


class LatencyQuantiles(_Closed):
    """Milliseconds from arrival to good answer, at most 4.4 % too high; null without answers."""

    p50: float | None
    p99: float | None


class AccuracyAnswer(_Closed):
    """Accuracy by feedback, weighted by how likely each label was, with its confidence sequence.

    `labelled` predictions of so many `units` say as much as `effective` equally weighted ones.
    """

    value: float
    low: float
    high: float
    level: float
    labelled: int
    units: int
    effective: float


class CalibrationAnswer(_Closed):
    """Expected calibration error, and what it is at least."""

    value: float
    at_least: float


class AgreementAnswer(_Closed):
    """Share of compared requests in which a shadow of this process had the same best label."""

    value: float
    compared: int


class ArmResultsAnswer(_Closed):
    """One arm. Traffic is what chance assigned and the arm itself answered."""

    variant: str
    is_control: bool
    share: float
    gate: str | None
    units: int
    answers: int
    failures: int
    shed: int
    failure_ratio: float | None
    latency_ms: LatencyQuantiles
    agreement: AgreementAnswer | UnavailableAnswer
    accuracy: AccuracyAnswer | UnavailableAnswer
    calibration_error: CalibrationAnswer | UnavailableAnswer


class ComparisonAnswer(_Closed):
    """An arm against the control: valid at every moment, however often it is looked at.

    `low` and `high`: confidence sequence of the difference of accuracy, arm minus control;
    `log_evidence` against no difference is compared with `log_threshold`. `is_non_inferior`: the
    loss is surely at most `margin`.
    """

    arm: str
    method: Literal["normal mixture confidence sequence, stratified by revision and day"]
    difference: float
    low: float
    high: float
    level: float
    margin: float
    log_evidence: float
    log_threshold: float
    verdict: Literal["better", "worse", "undecided"]
    is_decided: bool
    is_non_inferior: bool


class NotComparedAnswer(_Closed):
    """An arm that cannot be compared yet."""

    arm: str
    unavailable_because: str
    detail: str


class AllocationAnswer(_Closed):
    """Sample ratio: units by arm with the weights in force, and whether some are missing."""

    units: dict[str, int]
    shares: dict[str, float]
    log_evidence: float
    log_threshold: float
    is_mismatch: bool


class GuardrailAnswer(_Closed):
    """One guardrail of a ramp; null where it was not looked at yet."""

    name: str
    bound: float
    value: float | None
    log_evidence: float | None
    log_threshold: float | None


class RampAnswer(_Closed):
    """A ramp that was started. `waits_for`: what the next step is still waiting for."""

    status: Literal["running", "paused", "completed", "rolled_back", "aborted"]
    candidate: str
    step: int
    share: float
    steps: list[float]
    watched_s: float
    waits_for: list[str]
    started_at: datetime
    looked_at: datetime


class DecisionAnswer(_Closed):
    """One decision and what it rests on."""

    id: int
    at: datetime
    action: str
    step: int
    share: float
    reasons: list[str]
    figures: dict[str, Any]
    actor: str
    leader_token: int


class ResultsAnswer(_Closed):
    """One experiment. `counted_by`: whose requests the traffic is of."""

    experiment: str
    is_running: bool
    control: str
    counted_by: Literal["all_replicas", "this_process"]
    arms: list[ArmResultsAnswer]
    comparisons: list[ComparisonAnswer | NotComparedAnswer]
    allocation: AllocationAnswer | UnavailableAnswer
    guardrails: list[GuardrailAnswer] | UnavailableAnswer
    ramp: RampAnswer | UnavailableAnswer
    decisions: list[DecisionAnswer] | UnavailableAnswer


class RampCommandAnswer(_Closed):
    """A ramp after a command."""

    experiment: str
    status: Literal["running", "paused", "completed", "rolled_back", "aborted"]
    step: int
    share: float
