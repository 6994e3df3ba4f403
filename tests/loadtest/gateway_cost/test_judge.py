"""What the gateway's cost is held against: 2 ms under load, and for one client a thin gateway."""

from __future__ import annotations

import pytest

from loadtest.bench.latencies import Percentiles
from loadtest.gateway_cost.run import CostFigures, CpuFigures, judge
from loadtest.gateway_cost.turns import LatencyFigures


def missed(ours_ms: dict[int, float], thin_ms: dict[int, float]) -> list[str]:
    """The names of the targets that CPU times by number of clients miss."""

    def figures(cpu_ms: dict[int, float]) -> list[CpuFigures]:
        return [CpuFigures(clients, 60.0, each, 0.0) for clients, each in cpu_ms.items()]

    latency = Percentiles.of([1.0])
    run = CostFigures(
        60_000, 7.0, figures(ours_ms), figures(thin_ms), LatencyFigures(latency, latency, 1.0), {}
    )
    return [each.name for each in judge(run) if not each.is_met]


def test_a_lone_client_may_take_half_as_much_again_as_through_a_thin_gateway() -> None:
    assert missed({1: 2.9, 8: 1.9}, {1: 2.0, 8: 1.0}) == []
    (name,) = missed({1: 3.1, 8: 1.9}, {1: 2.0, 8: 1.0})
    assert name == "CPU of the gateway a request, 1 clients / thin gateway"


@pytest.mark.parametrize("clients", [8, 16])
def test_under_load_the_bound_is_absolute_whatever_a_thin_gateway_takes(clients: int) -> None:
    (name,) = missed({clients: 2.01}, {clients: 3.0})
    assert name == f"CPU of the gateway a request, {clients} clients"
