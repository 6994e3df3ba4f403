from __future__ import annotations

from gateway.deciding.guardrails import ArmCounts, Guardrail, RateGuard
from gateway.deciding.policy import Guardrails

RAILS = Guardrails()


def watch(
    control: ArmCounts, candidate: ArmCounts, *, looks: int, share: float = 0.1
) -> tuple[Guardrail, ...]:
    guard = RateGuard()
    for _ in range(looks):
        guard = guard.after(control, candidate, share, RAILS)
    return guard.breaches(share, RAILS)


def test_candidate_that_fails_alone_is_seen_within_seconds() -> None:
    broken = ArmCounts(failures=2, failed_units=2)
    assert watch(ArmCounts(answers=18), broken, looks=6) == (Guardrail.FAILURES,)


def test_outage_that_strikes_both_arms_is_not_the_candidates_fault() -> None:
    everything = watch(
        ArmCounts(failures=18, failed_units=18), ArmCounts(failures=2, failed_units=2), looks=300
    )
    assert everything == ()


def test_one_client_that_fails_again_and_again_is_no_proof() -> None:
    guard = RateGuard().after(
        ArmCounts(answers=900), ArmCounts(answers=90, failures=40, failed_units=1), 0.1, RAILS
    )
    assert guard.breaches(0.1, RAILS) == ()


def test_slow_candidate_beside_a_fast_control_is_seen() -> None:
    slow = ArmCounts(answers=5, slow=1)
    assert watch(ArmCounts(answers=45), slow, looks=20) == (Guardrail.LATENCY,)


def test_refusals_of_a_full_queue_are_seen() -> None:
    refused = ArmCounts(answers=3, shed=2)
    assert watch(ArmCounts(answers=45), refused, looks=20) == (Guardrail.SHED,)


def test_without_a_control_the_bound_alone_counts() -> None:
    broken = ArmCounts(failures=5, failed_units=5)
    assert watch(ArmCounts(), broken, looks=2, share=1.0) == (Guardrail.FAILURES,)


def test_rare_failures_within_the_bound_are_no_breach_though_the_control_has_none() -> None:
    within = ArmCounts(answers=199, failures=1, failed_units=1)
    assert watch(ArmCounts(answers=1800), within, looks=200) == ()
