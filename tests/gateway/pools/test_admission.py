from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from gateway.admission.admission import Admission, AdmissionObserver
from gateway.admission.arrival import Arrival
from gateway.admission.deadline import Deadline
from gateway.errors import AdmissionRefusedError
from gateway.placement import Degraded, Placement, PoolName
from gateway.pools.admission import PooledAdmission
from gateway.pools.fleet import Fleet
from gateway.telemetry.metrics import Metrics
from tests.gateway.pools.stand_ins import fail, make_pool

if TYPE_CHECKING:
    from gateway.pools.pool import Pool

pytestmark = pytest.mark.anyio

LIMIT = 4
ARRIVAL = Arrival(Deadline(0.0, 0.5))


def make_admission(
    *pools: Pool, has_brown_out: bool = False
) -> tuple[PooledAdmission, CollectorRegistry]:
    registry = CollectorRegistry()
    metrics = Metrics(registry)

    def make(observer: AdmissionObserver) -> Admission:
        return Admission(budget_s=0.5, max_concurrency=LIMIT, clock=lambda: 0.0, observer=observer)

    fleet = Fleet(pools, metrics, lambda: 0.0)
    admission = PooledAdmission(fleet, make, metrics, lambda: 0.0, has_brown_out=has_brown_out)
    return admission, registry


def admit_all(admission: PooledAdmission, stack: ExitStack, count: int) -> list[Placement | None]:
    return [stack.enter_context(admission.admit(ARRIVAL)).placement for _ in range(count)]


async def test_what_the_gpu_pool_has_no_room_for_spills_into_the_cpu_pool() -> None:
    admission, registry = make_admission(make_pool(1, PoolName.CPU), make_pool(1, PoolName.GPU))
    with ExitStack() as stack:
        placements = admit_all(admission, stack, 2 * LIMIT)
        assert (
            placements
            == [Placement(PoolName.GPU)] * LIMIT + [Placement(PoolName.CPU, Degraded.SPILL)] * LIMIT
        )
        assert admission.count == 2 * LIMIT
        assert registry.get_sample_value("diptych_gateway_in_flight_requests") == 2 * LIMIT
        assert registry.get_sample_value("diptych_gateway_concurrency_limit") == 2 * LIMIT
        with pytest.raises(AdmissionRefusedError, match="busy"):
            admission.admit(ARRIVAL)
    refused = {"code": "concurrency_limit", "priority": "interactive"}
    # Once, though both pools refused; and not at all for what spilled.
    assert registry.get_sample_value("diptych_gateway_refusals_total", refused) == 1
    assert admission.count == 0


async def test_gpu_pool_that_is_unhealthy_gets_nothing() -> None:
    gpu = make_pool(1, PoolName.GPU)
    admission, _ = make_admission(gpu, make_pool(1, PoolName.CPU))
    for _ in range(6):
        fail(gpu, gpu.endpoints[0], 0.0)
    with ExitStack() as stack:
        placements = admit_all(admission, stack, LIMIT)
        assert set(placements) == {Placement(PoolName.CPU, Degraded.GPU_POOL_UNHEALTHY)}
        with pytest.raises(AdmissionRefusedError):
            admission.admit(ARRIVAL)


async def test_no_pool_that_is_well_lets_in_so_that_the_call_says_what_is_wrong() -> None:
    pool = make_pool(1, PoolName.DEFAULT)
    pool.endpoints[0].note_missed(is_final=True)
    admission, _ = make_admission(pool)
    with admission.admit(ARRIVAL) as ticket:
        assert ticket.placement == Placement(PoolName.DEFAULT)


async def test_brown_out_goes_beyond_the_limit_only_for_callers_who_allow_it() -> None:
    admission, _ = make_admission(make_pool(1), has_brown_out=True)
    willing = Arrival(Deadline(0.0, 0.5), allows_degraded=True)
    with ExitStack() as stack:
        admit_all(admission, stack, LIMIT)
        with pytest.raises(AdmissionRefusedError):
            admission.admit(ARRIVAL)
        browned_out = stack.enter_context(admission.admit(willing))
        assert browned_out.placement == Placement(PoolName.CPU, Degraded.BROWN_OUT)
        with pytest.raises(AdmissionRefusedError):  # a quarter beyond 4 is one
            admission.admit(willing)


async def test_brown_out_that_is_off_lets_nobody_beyond_the_limit() -> None:
    admission, _ = make_admission(make_pool(1))
    with ExitStack() as stack:
        admit_all(admission, stack, LIMIT)
        with pytest.raises(AdmissionRefusedError):
            admission.admit(Arrival(Deadline(0.0, 0.5), allows_degraded=True))
