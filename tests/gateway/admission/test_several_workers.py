"""What several workers let in together, each with an admission of its own, before one backend."""

from __future__ import annotations

import pytest

from tests.gateway.admission.simulated_service import SimulatedService

SPEEDS = [(2, 0.028), (1, 0.005), (30, 0.02)]
WORKER_SHARES = [(1, 1), (1, 1, 1, 1), (0.7, 0.1, 0.1, 0.1)]
SETTLED_S = 2.0
END_S = 5.0


@pytest.mark.parametrize(("servers", "service_s"), SPEEDS)
@pytest.mark.parametrize("shares", WORKER_SHARES)
def test_admission_of_several_workers_holds_capacity_deadlines_and_limit_of_one(
    servers: int, service_s: float, shares: tuple[float, ...]
) -> None:
    def run(worker_shares: tuple[float, ...]) -> tuple[float, float, float]:
        service = SimulatedService(servers, service_s, worker_shares=worker_shares)
        outcome = service.run(lambda _: 4 * service.capacity_rps, END_S)
        limits = [limit for at_s, limit in outcome.limits if at_s > SETTLED_S]
        goodput = outcome.goodput_rps(SETTLED_S, END_S) / service.capacity_rps
        return goodput, outcome.miss_ratio(0, END_S), sum(limits) / len(limits)

    _, _, limit_of_one = run((1,))
    goodput, miss_ratio, limit = run(shares)
    assert goodput >= 0.95
    assert miss_ratio < 0.01
    # Each worker's limit is a whole number, so the sum of four may be four above.
    assert limit_of_one - len(shares) <= limit <= 1.1 * limit_of_one + len(shares)


@pytest.mark.parametrize("shares", WORKER_SHARES)
def test_admission_of_several_workers_starts_into_overload_without_missing(
    shares: tuple[float, ...],
) -> None:
    service = SimulatedService(2, 0.028, worker_shares=shares)
    outcome = service.run(lambda _: 10 * service.capacity_rps, 3)
    assert outcome.miss_ratio(0, 3) < 0.01


@pytest.mark.parametrize("shares", WORKER_SHARES)
def test_admission_of_several_workers_hardly_refuses_what_can_be_done(
    shares: tuple[float, ...],
) -> None:
    service = SimulatedService(2, 0.028, worker_shares=shares)
    outcome = service.run(lambda _: 0.8 * service.capacity_rps, 10)
    sent = len(outcome.in_time) + len(outcome.missed) + len(outcome.refused)
    # The first guess is split in whole places, so more is refused until the limits have grown.
    assert len(outcome.refused) < 0.03 * sent
    assert outcome.miss_ratio(0, 10) < 0.01
