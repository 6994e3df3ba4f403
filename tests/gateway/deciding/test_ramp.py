from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from gateway.deciding.guardrails import ArmCounts
from gateway.deciding.outcomes import ConfidenceBins, OutcomeSums, Stratum
from gateway.deciding.policy import Guardrails, RampPolicy, Step
from gateway.deciding.ramp import Action, Evidence, Look, RampState, figures, look

SHARES = (0.01, 0.05, 0.25, 0.5, 1.0)
POLICY = RampPolicy(
    candidate="new",
    control="old",
    steps=tuple(Step(share, min_dwell_s=10, min_requests=20, min_outcomes=30) for share in SHARES),
    level=0.05,
    margin=0.05,
    allocation_level=0.001,
    guardrails=Guardrails(),
)
NO_BINS = ConfidenceBins.of_predictions(np.array([]), np.array([]))


def evidence(
    control: tuple[int, int] = (850, 1000), candidate: tuple[int, int] = (850, 1000)
) -> Evidence:
    """All that the first step waits for, with these right predictions of so many labelled."""
    return Evidence(
        elapsed_s=20.0,
        control=ArmCounts(answers=990),
        candidate=ArmCounts(answers=20),
        strata=(Stratum(OutcomeSums.of_counts(*control), OutcomeSums.of_counts(*candidate)),),
        control_bins=NO_BINS,
        candidate_bins=NO_BINS,
        units={"old": 990, "new": 10},
    )


def at(step: int, found: Evidence) -> Look:
    share = SHARES[step]
    units = {"old": round(1000 * (1 - share)), "new": round(1000 * share)}
    return look(POLICY, RampState(step), replace(found, units=units))


def test_step_with_all_its_evidence_goes_to_the_next_and_begins_to_count_anew() -> None:
    found = at(0, evidence())
    assert (found.action, found.state.step) == (Action.ADVANCE, 1)
    assert found.state.watched_s == 0
    assert found.state.guard.candidate == ArmCounts()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"elapsed_s": 9.0}, "dwell"),
        ({"candidate": ArmCounts(answers=19)}, "requests"),
        ({"strata": ()}, "outcomes"),
        ({"gate": "not_served"}, "candidate_not_serving"),
    ],
)
def test_step_waits_for_what_is_missing(change: dict[str, object], reason: str) -> None:
    found = at(0, replace(evidence(), **change))  # type: ignore[arg-type]
    assert found.action is Action.HOLD
    assert reason in found.reasons


def test_what_is_missing_is_asked_for_according_to_what_is_at_stake() -> None:
    # A loss of 0.17 is possible still: at stake for 5 per cent of the service, not for half.
    uncertain = evidence(candidate=(68, 80))
    assert at(0, uncertain).action is Action.ADVANCE
    assert at(2, uncertain).reasons == ("accuracy",)
    assert at(3, uncertain).reasons == ("accuracy",)
    proved = evidence(control=(8500, 10000), candidate=(8500, 10000))
    assert at(3, proved).action is Action.ADVANCE


def test_candidate_that_is_surely_worse_by_the_margin_is_rolled_back() -> None:
    found = at(1, evidence(candidate=(600, 1000)))
    assert (found.action, found.reasons) == (Action.ROLL_BACK, ("guardrail_accuracy",))


def test_candidate_that_fails_is_rolled_back_whatever_else_holds() -> None:
    broken = replace(evidence(), candidate=ArmCounts(failures=10, failed_units=10))
    found = at(0, broken)
    assert (found.action, found.reasons) == (Action.ROLL_BACK, ("guardrail_failures",))


def test_outage_of_both_arms_is_waited_out() -> None:
    failing = replace(
        evidence(),
        control=ArmCounts(answers=700, failures=290, failed_units=290),
        candidate=ArmCounts(answers=25, failures=10, failed_units=10),
    )
    found = look(POLICY, RampState(1), replace(failing, units={"old": 950, "new": 50}))
    assert (found.action, found.reasons) == (Action.HOLD, ("service_unwell",))


def test_candidate_that_is_sure_and_wrong_is_rolled_back() -> None:
    bins = ConfidenceBins.of_predictions(np.full(500, 0.99), np.arange(500) < 300)
    found = at(0, replace(evidence(), candidate_bins=bins))
    assert found.reasons == ("guardrail_calibration",)


def test_units_that_are_missing_pause_the_ramp() -> None:
    found = look(POLICY, RampState(3), replace(evidence(), units={"old": 5000, "new": 4000}))
    assert (found.action, found.reasons) == (Action.PAUSE, ("sample_ratio_mismatch",))


def test_last_step_completes() -> None:
    assert at(4, evidence()).action is Action.COMPLETE


def test_figures_of_a_decision_are_json() -> None:
    said = json.loads(json.dumps(figures(at(0, evidence()), POLICY)))
    assert said["difference"] == 0
    assert said["outcomes"] == {"control": 1000, "candidate": 1000}
