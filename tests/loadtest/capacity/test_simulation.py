"""The simulator against closed forms of queueing theory, and what the real admission does in it."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

import pytest

from loadtest.capacity.profile import Profile, StepProfile
from loadtest.capacity.simulation import Loss, Setting, simulate
from loadtest.traffic.shapes import Steady

SERVICE_MS = 10.0
# Of some 100,000 requests whose waits depend on each other; ten other seeds stay within 3 per cent.
TOLERANCE = 0.05


def one_step(*, max_batch: int = 1, variation: float = 0.0, delay_ms: float = 0.0) -> Profile:
    step = StepProfile(
        name="step",
        max_batch=max_batch,
        delay_ms=delay_ms,
        service_ms={1: SERVICE_MS} | ({max_batch: SERVICE_MS} if max_batch > 1 else {}),
        variation=variation,
    )
    return Profile(variant="v", device="d", branches=(step,), overhead_ms=0.0)


def setting(profile: Profile, rate_rps: float, requests: int = 100_000) -> Setting:
    shape = Steady(kind="steady", rate_rps=rate_rps)
    return Setting(profile, 1, shape, requests / rate_rps, has_admission=False)


def mean_ms(profile: Profile, rate_rps: float) -> float:
    return fmean(simulate(setting(profile, rate_rps)).latencies_ms)


@pytest.mark.parametrize("use", [0.3, 0.7])
def test_one_server_with_exponential_times_is_m_m_1(use: float) -> None:
    expected_ms = SERVICE_MS / (1 - use)
    assert mean_ms(one_step(variation=1.0), 100 * use) == pytest.approx(expected_ms, rel=TOLERANCE)


def test_p99_with_exponential_times_is_that_of_m_m_1() -> None:
    latency = simulate(setting(one_step(variation=1.0), 50.0)).latency
    # The time in an M/M/1 system is exponential with rate mu - lambda.
    assert latency.p99_ms == pytest.approx(math.log(100) * 1000 / (100 - 50), rel=TOLERANCE)


@pytest.mark.parametrize("use", [0.3, 0.7])
def test_one_server_with_constant_times_is_m_d_1(use: float) -> None:
    # Pollaczek and Khinchine.
    expected_ms = SERVICE_MS + SERVICE_MS * use / (2 * (1 - use))
    assert mean_ms(one_step(), 100 * use) == pytest.approx(expected_ms, rel=TOLERANCE)


@pytest.mark.parametrize("use", [0.3, 0.7])
def test_server_that_has_to_wake_is_m_d_1_with_setup_times(use: float) -> None:
    # Welch (1964): the wait without them, and (2 D + rate D^2) / (2 (1 + rate D)) for a setup of D.
    wake_ms, per_ms = 6.0, use / SERVICE_MS
    setup_ms = (2 * wake_ms + per_ms * wake_ms**2) / (2 * (1 + per_ms * wake_ms))
    expected_ms = SERVICE_MS + SERVICE_MS * use / (2 * (1 - use)) + setup_ms
    profile = one_step()
    step = profile.branches[0].model_copy(update={"wake_ms": wake_ms})

    woken = profile.model_copy(update={"branches": (step,)})

    assert mean_ms(woken, 100 * use) == pytest.approx(expected_ms, rel=TOLERANCE)


@pytest.mark.parametrize("rate_rps", [50.0, 250.0, 1000.0])
def test_batches_without_bound_of_constant_time_wait_as_computed(rate_rps: float) -> None:
    # A batch takes all that came during the one before it, which is Poisson with mean a, or the
    # first that comes to an idle server. Of the a + e^-a requests of a cycle, a wait half a batch.
    a = rate_rps * SERVICE_MS / 1000
    expected_ms = SERVICE_MS + SERVICE_MS / 2 * a / (a + math.exp(-a))
    assert mean_ms(one_step(max_batch=1000), rate_rps) == pytest.approx(expected_ms, rel=TOLERANCE)


def test_delay_of_a_lone_request_is_waited_out_and_a_full_batch_goes_at_once() -> None:
    profile = one_step(max_batch=2, delay_ms=50.0)
    assert mean_ms(profile, 0.1) == pytest.approx(SERVICE_MS + 50.0, rel=0.02)
    # At 90 of 200 a second a partner comes after 1 / 90 s, long before the delay is over; those
    # who have waited are half.
    assert mean_ms(profile, 90.0) < SERVICE_MS + 25.0


def test_admission_keeps_what_is_let_in_within_the_deadline_at_twice_the_capacity() -> None:
    # 100/s is what the step does; the real admission refuses the other half, and little more.
    profile = one_step(variation=0.3)
    outcome = simulate(replace(setting(profile, 200.0, 20_000), has_admission=True, warm_up_s=10.0))
    assert outcome.latency.p99_ms < 500
    assert outcome.shed_ratio == pytest.approx(0.5, abs=0.05)
    assert outcome.late / outcome.offered < 0.01


def test_loss_of_a_replica_sends_its_requests_to_another_and_loses_none() -> None:
    profile = one_step()
    two = replace(setting(profile, 60.0, 6_000), replicas=2, loss=Loss(50.0, 1))
    outcome = simulate(two)
    assert outcome.shed_ratio == 0.0
    assert len(outcome.latencies_ms) == outcome.offered
    # After the loss half of the pool carries all: a use of 0.6 instead of 0.3.
    assert outcome.latency.p99_ms > simulate(replace(two, loss=None)).latency.p99_ms


def test_same_seed_gives_the_same_run() -> None:
    this = replace(setting(one_step(variation=0.5), 80.0, 2_000), has_admission=True)
    assert simulate(this).latencies_ms == simulate(this).latencies_ms
    assert simulate(this).latencies_ms != simulate(replace(this, seed=1)).latencies_ms
