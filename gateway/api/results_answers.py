"""Turns results into JSON. What is not known is said with its reason, never shown as zero."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from gateway.deciding.accuracy import Verdict, accuracy_interval
from gateway.deciding.guardrails import Guardrail
from gateway.tallies.tally import Tally, quantile_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.deciding.accuracy import AccuracyTest
    from gateway.deciding.outcomes import OutcomeSums
    from gateway.ramping.record import RampRecord
    from gateway.ramping.results import ExperimentResults, Stored
    from gateway.storage.ramp_tables import RampDecision
    from gateway.telemetry.shadow_metrics import ShadowMetrics

_METHOD: Final = "normal mixture confidence sequence, stratified by revision and day"
_WHY: Final = {
    "storage_not_configured": "Without a database nothing is known beyond this process: set "
    "DIPTYCH_GATEWAY_DATABASE_URL.",
    "storage_unavailable": "The database cannot be reached at the moment; try again later.",
    "storage_outdated": "The database's schema is not the one of this release: run "
    "`python -m gateway.storage upgrade`.",
    "no_labels": "No feedback on this arm yet: send true labels to POST /v1/feedback.",
    "no_shadow": "No shadow of this process has compared this arm with another variant.",
    "no_ramp": "No ramp of this experiment was ever started.",
    "ramp_not_looked_at": "The ramp was started and not yet looked at; that takes a second.",
}


def unavailable(code: str) -> dict[str, str]:
    """Returns an `UnavailableAnswer`."""
    return {"unavailable_because": code, "detail": _WHY[code]}


def results_answer(
    results: ExperimentResults,
    gates: Mapping[tuple[str, str], str],
    shadows: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """Returns a `ResultsAnswer`.

    Args:
        results: all that is known.
        gates: why arms get no traffic, by experiment and arm.
        shadows: outcomes of this process's shadows, by candidate.
    """
    definition, stored = results.experiment.definition, results.stored
    if stored is None:
        because = unavailable(results.fault or "storage_unavailable")
        store: dict[str, Any] = dict.fromkeys(("guardrails", "ramp", "decisions"), because)
    else:
        store = _stored(results, stored)
    return {
        "experiment": definition.name,
        "is_running": definition.is_running,
        "control": definition.control,
        "counted_by": "this_process" if stored is None else "all_replicas",
        "arms": [
            _arm(results, arm, gates.get((definition.name, arm)), shadows.get(arm, {}))
            for arm in definition.arms
        ],
        "comparisons": [
            _comparison(results, arm, test) for arm, test in results.comparisons.items()
        ],
        "allocation": _allocation(results),
        **store,
    }


def shadow_outcomes(
    metrics: ShadowMetrics, candidates: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """Returns what shadows of this process found, by candidate.

    Args:
        metrics: of this process.
        candidates: by shadow.
    """
    found: dict[str, dict[str, int]] = {}
    for shadow, candidate in candidates.items():
        for outcome, count in metrics.outcomes(shadow).items():
            of_candidate = found.setdefault(candidate, {})
            of_candidate[outcome] = of_candidate.get(outcome, 0) + count
    return found


def _arm(
    results: ExperimentResults, arm: str, gate: str | None, shadow: Mapping[str, int]
) -> dict[str, Any]:
    definition = results.experiment.definition
    tally = results.tallies.get(arm, Tally(0.0))
    tried = tally.answers + tally.failures
    compared = shadow.get("agreed", 0) + shadow.get("differed", 0)
    calibration = results.calibration[arm]
    return {
        "variant": arm,
        "is_control": arm == definition.control,
        "share": round(definition.share_of(arm), 6),
        "gate": gate,
        "units": tally.units,
        "answers": tally.answers,
        "failures": tally.failures,
        "shed": tally.shed,
        "failure_ratio": tally.failures / tried if tried else None,
        "latency_ms": {
            "p50": _rounded(quantile_ms(tally.latency, 0.5)),
            "p99": _rounded(quantile_ms(tally.latency, 0.99)),
        },
        "agreement": {"value": shadow.get("agreed", 0) / compared, "compared": compared}
        if compared
        else unavailable("no_shadow"),
        "accuracy": _accuracy(results, _sums(results, arm)),
        "calibration_error": unavailable(results.fault or "no_labels")
        if calibration.estimate is None
        else {"value": calibration.estimate, "at_least": calibration.at_least},
    }


def _sums(results: ExperimentResults, arm: str) -> OutcomeSums | None:
    if arm in results.comparisons:
        return results.comparisons[arm].candidate
    for test in results.comparisons.values():
        return test.control
    return None


def _accuracy(results: ExperimentResults, sums: OutcomeSums | None) -> dict[str, Any]:
    if sums is None or sums.accuracy is None:
        return unavailable(results.fault or "no_labels")
    declared = results.declared
    interval = accuracy_interval(sums, scale=declared.margin, level=declared.level)
    return {
        "value": sums.accuracy,
        "low": interval.low,
        "high": interval.high,
        "level": declared.level,
        "labelled": sums.count,
        "units": sums.units,
        "effective": round(sums.effective_count, 1),
    }


def _comparison(results: ExperimentResults, arm: str, test: AccuracyTest) -> dict[str, Any]:
    if test.difference is None:
        return {"arm": arm, **unavailable(results.fault or "no_labels")}
    return {
        "arm": arm,
        "method": _METHOD,
        "difference": test.difference,
        "low": test.interval.low,
        "high": test.interval.high,
        "level": test.level,
        "margin": results.declared.margin,
        "log_evidence": test.log_evidence,
        "log_threshold": -math.log(test.level),
        "verdict": test.verdict.value,
        "is_decided": test.verdict is not Verdict.UNDECIDED,
        "is_non_inferior": test.possible_loss <= results.declared.margin,
    }


def _allocation(results: ExperimentResults) -> dict[str, Any]:
    check = results.allocation
    return {
        "units": {arm: check.units.get(arm, 0) for arm in check.shares},
        "shares": {arm: round(share, 6) for arm, share in check.shares.items()},
        "log_evidence": check.log_evidence,
        "log_threshold": -math.log(check.level),
        "is_mismatch": check.is_mismatch,
    }


def _stored(results: ExperimentResults, stored: Stored) -> dict[str, Any]:
    no_ramp = unavailable("no_ramp")
    return {
        "guardrails": no_ramp if stored.ramp is None else _guardrails(results, stored.ramp),
        "ramp": no_ramp if stored.ramp is None else _ramp(stored.ramp),
        "decisions": [_decision(each) for each in stored.decisions]
        if stored.decisions
        else no_ramp,
    }


def _guardrails(results: ExperimentResults, ramp: RampRecord) -> Any:  # noqa: ANN401 - JSON
    if not ramp.look:
        return unavailable("ramp_not_looked_at")
    rails = ramp.policy.guardrails
    tally = results.tallies.get(ramp.policy.candidate, Tally(0.0))
    test = results.comparisons.get(ramp.policy.candidate)
    tried = tally.answers + tally.failures
    calibration = results.calibration.get(ramp.policy.candidate)
    threshold = math.log(rails.mean_looks)
    evidence = {
        rail: watch.log_evidence(has_control=ramp.share < 1)
        for rail, watch in ramp.state.ramp.guard.watches.items()
    }
    rates = (
        (Guardrail.FAILURES, rails.max_failure_ratio, tally.failures / tried if tried else None),
        (Guardrail.LATENCY, rails.max_p99_ms, _rounded(quantile_ms(tally.latency, 0.99))),
        (
            Guardrail.SHED,
            rails.max_shed_ratio,
            tally.shed / (tried + tally.shed) if tried + tally.shed else None,
        ),
    )
    bounds = (
        (
            Guardrail.CALIBRATION,
            rails.max_calibration_error,
            None if calibration is None or calibration.estimate is None else calibration.at_least,
        ),
        (
            Guardrail.ACCURACY,
            ramp.policy.margin,
            None if test is None or test.difference is None else test.certain_loss,
        ),
    )
    return [
        {
            "name": rail.value,
            "bound": bound,
            "value": value,
            "log_evidence": evidence.get(rail),
            "log_threshold": threshold if rail in evidence else None,
        }
        for rail, bound, value in (*rates, *bounds)
    ]


def _ramp(ramp: RampRecord) -> dict[str, Any]:
    return {
        "status": ramp.status.value,
        "candidate": ramp.policy.candidate,
        "step": ramp.state.ramp.step,
        "share": ramp.share,
        "steps": [step.share for step in ramp.policy.steps],
        "watched_s": ramp.state.ramp.watched_s,
        "waits_for": list(ramp.look["reasons"]) if ramp.look.get("action") == "hold" else [],
        "started_at": ramp.started_at.isoformat(),
        "looked_at": ramp.looked_at.isoformat(),
    }


def _decision(decision: RampDecision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "at": decision.at.isoformat(),
        "action": decision.action,
        "step": decision.step,
        "share": decision.share,
        "reasons": decision.reasons,
        "figures": decision.figures,
        "actor": decision.actor,
        "leader_token": decision.token,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
