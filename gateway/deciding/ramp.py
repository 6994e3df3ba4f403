"""What a ramp does next, from what is known: the one place where that is decided. Pure.

The rule for a step up: with the wanted confidence, the *whole service* loses no more accuracy than
the margin once the candidate has that share, `share * possible loss <= margin`. So 5 per cent need
little evidence, and 100 per cent need the proof that the candidate is worse by no more than the
margin. One confidence sequence serves all steps, and looking every second costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from gateway.deciding.accuracy import AccuracyTest, compare
from gateway.deciding.allocation import AllocationCheck, check_allocation
from gateway.deciding.calibration import CalibrationError, calibration_error
from gateway.deciding.guardrails import ArmCounts, Guardrail, RateGuard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.deciding.outcomes import ConfidenceBins, Stratum
    from gateway.deciding.policy import RampPolicy


class Action(StrEnum):
    """What to do."""

    HOLD = "hold"
    ADVANCE = "advance"
    COMPLETE = "complete"
    PAUSE = "pause"
    ROLL_BACK = "roll_back"


@dataclass(frozen=True, slots=True)
class RampState:
    """Where a ramp is; a value.

    Attributes:
        step: index of the step.
        watched_s: time on this step in which the evidence could be read, in seconds.
        guard: of the rates.
    """

    step: int = 0
    watched_s: float = 0.0
    guard: RateGuard = RateGuard()  # noqa: RUF009 - a frozen value


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a look has found.

    Attributes:
        elapsed_s: since the look before, in seconds.
        control: what came of its requests since the look before.
        candidate: the same.
        strata: labelled predictions since the ramp began.
        control_bins: its labelled predictions by confidence.
        candidate_bins: the same.
        units: by arm, as many as were seen with the weights of this step.
        sightings: how often a unit may have been counted, see `check_allocation`.
        gate: why the candidate may not serve, or None.
        is_paused: whether a person holds the ramp; guardrails count all the same.
    """

    elapsed_s: float
    control: ArmCounts
    candidate: ArmCounts
    strata: tuple[Stratum, ...]
    control_bins: ConfidenceBins
    candidate_bins: ConfidenceBins
    units: Mapping[str, int]
    sightings: int = 1
    gate: str | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What a look makes of it.

    Attributes:
        action: what to do.
        state: after the look; on the next step where the action is to advance.
        reasons: why, or what is still waited for; stable identifiers.
        accuracy: the comparison.
        allocation: whether the units are split as the weights say.
        control_calibration: of the control.
        candidate_calibration: of the candidate.
    """

    action: Action
    state: RampState
    reasons: tuple[str, ...]
    accuracy: AccuracyTest
    allocation: AllocationCheck
    control_calibration: CalibrationError
    candidate_calibration: CalibrationError


def look(policy: RampPolicy, state: RampState, evidence: Evidence) -> Look:
    """Decides.

    Args:
        policy: of the ramp.
        state: after the look before.
        evidence: what was found.
    """
    step = policy.steps[state.step]
    guard = state.guard.after(evidence.control, evidence.candidate, step.share, policy.guardrails)
    state = RampState(state.step, state.watched_s + evidence.elapsed_s, guard)
    accuracy = compare(evidence.strata, scale=policy.margin, level=policy.level)
    allocation = check_allocation(
        evidence.units,
        {policy.control: 1 - step.share, policy.candidate: step.share},
        sightings=evidence.sightings,
        level=policy.allocation_level,
    )
    of_control = calibration_error(evidence.control_bins, level=policy.level)
    of_candidate = calibration_error(evidence.candidate_bins, level=policy.level)
    found = Look(Action.HOLD, state, (), accuracy, allocation, of_control, of_candidate)
    if breached := _breaches(policy, found):
        return replace(found, action=Action.ROLL_BACK, reasons=breached)
    if evidence.is_paused:
        return replace(found, reasons=("paused",))
    if allocation.is_mismatch:
        return replace(found, action=Action.PAUSE, reasons=("sample_ratio_mismatch",))
    if waits := _waits(policy, found, evidence.gate):
        return replace(found, reasons=waits)
    if state.step == len(policy.steps) - 1:
        return replace(found, action=Action.COMPLETE, reasons=("last_step_passed",))
    following = RampState(state.step + 1, 0.0, guard.on_next_step())
    return replace(found, action=Action.ADVANCE, state=following, reasons=("evidence_suffices",))


def _breaches(policy: RampPolicy, found: Look) -> tuple[str, ...]:
    rails, share = policy.guardrails, policy.steps[found.state.step].share
    breached = [*found.state.guard.breaches(share, rails)]
    worst = max(rails.max_calibration_error, found.control_calibration.estimate or 0.0)
    if found.candidate_calibration.at_least > worst:
        breached.append(Guardrail.CALIBRATION)
    if found.accuracy.certain_loss > policy.margin:
        breached.append(Guardrail.ACCURACY)
    return tuple(rail.reason for rail in breached)


def _waits(policy: RampPolicy, found: Look, gate: str | None) -> tuple[str, ...]:
    state = found.state
    step = policy.steps[state.step]
    waits = []
    if gate is not None:
        waits.append("candidate_not_serving")
    if state.guard.is_unwell(policy.guardrails):  # as the control is, or it would be rolled back
        waits.append("service_unwell")
    if state.watched_s < step.min_dwell_s:
        waits.append("dwell")
    if state.guard.candidate.answers < step.min_requests:
        waits.append("requests")
    if found.accuracy.candidate.count < step.min_outcomes:
        waits.append("outcomes")
    if state.step + 1 < len(policy.steps):
        share = policy.steps[state.step + 1].share
        if share * found.accuracy.possible_loss > policy.margin:
            waits.append("accuracy")
    return tuple(waits)


def figures(found: Look, policy: RampPolicy) -> dict[str, Any]:
    """Returns what a decision rests on, as JSON, for the record."""
    test, guard = found.accuracy, found.state.guard
    return {
        "difference": test.difference,
        "interval": [test.interval.low, test.interval.high],
        "log_evidence": test.log_evidence,
        "level": test.level,
        "margin": policy.margin,
        "outcomes": {"control": test.control.count, "candidate": test.candidate.count},
        "accuracy": {"control": test.control.accuracy, "candidate": test.candidate.accuracy},
        "calibration_error": {
            "control": found.control_calibration.estimate,
            "candidate": found.candidate_calibration.estimate,
            "candidate_at_least": found.candidate_calibration.at_least,
        },
        "guardrails": {
            rail: watch.log_evidence(has_control=True) for rail, watch in guard.watches.items()
        },
        "requests": {"control": guard.control.requests, "candidate": guard.candidate.requests},
        "allocation_log_evidence": found.allocation.log_evidence,
        "watched_s": found.state.watched_s,
    }
