"""The chart's autoscaling rules against recorded metrics: they scale as the README's table says."""

from __future__ import annotations

from functools import cache

import pytest

from deploy.autoscaling.promql import EvaluationError, evaluate
from deploy.autoscaling.recordings import Recording, read_recording
from deploy.autoscaling.replay import metrics_of
from deploy.autoscaling.table import (
    SCENARIOS,
    Row,
    readme_text,
    rendered_scalers,
    replay_all,
)
from deploy.helm.chart import CHART
from loadtest.autoscaling.scenarios import SCENARIOS as RECORDED

GPU, CPU, GATEWAY = "triton-gpu", "triton-cpu", "gateway"


@cache
def rows() -> tuple[Row, ...]:
    return tuple(replay_all())


def course(scenario: str, scaled: str, way: str = "hpa") -> tuple[int, ...]:
    """Returns replicas every 15 seconds."""
    (row,) = (r for r in rows() if (r.scenario, r.scaled, r.way) == (scenario, scaled, way))
    return row.course.replicas


def span(replicas: tuple[int, ...], begin_s: float, end_s: float) -> tuple[int, ...]:
    return replicas[int(begin_s // 15) : int(end_s // 15) + 1]


def test_readme_shows_the_replays_as_they_are() -> None:
    readme = (CHART / "README.md").read_text(encoding="utf-8")

    assert readme == readme_text(readme, rows()), "run python -m deploy.autoscaling"


def test_every_recorded_scenario_is_replayed() -> None:
    assert {each.name for each in RECORDED} == set(SCENARIOS)


def test_idle_pools_of_an_hpa_stay_at_their_minimum() -> None:
    assert set(course("idle", GPU)) == {2}
    assert set(course("idle", CPU)) == {1}
    assert set(course("idle", GATEWAY)) == {1}


def test_idle_gpu_pool_goes_to_none_after_the_cooldown_and_the_cpu_pool_stays() -> None:
    replicas = course("idle", GPU, "keda")

    assert min(span(replicas, 0, 600)) >= 1
    assert set(span(replicas, 630, 1500)) == {0}
    assert min(course("idle", CPU, "keda")) == 1


@pytest.mark.parametrize("way", ["hpa", "keda"])
def test_ramp_brings_replicas_before_it_is_at_its_height_and_none_goes_meanwhile(way: str) -> None:
    rising = span(course("ramp", GPU, way), 0, 360)

    assert list(rising) == sorted(rising)
    # At 300 s there are 60 requests a second, and a replica is to have 18.
    assert rising[300 // 15] >= 4


def test_spike_is_followed_within_a_minute_and_a_half() -> None:
    replicas = course("spike", GPU)

    assert span(replicas, 0, 60) == (2,) * 5
    assert max(span(replicas, 60, 150)) >= 4


def test_spike_is_not_forgotten_for_five_minutes() -> None:
    replicas = course("spike", GPU)
    peak = max(replicas)

    assert set(span(replicas, 180, 400)) == {peak}


@pytest.mark.parametrize("way", ["hpa", "keda"])
def test_gpu_pool_that_lost_a_server_grows_and_is_not_made_smaller(way: str) -> None:
    gpu, cpu = course("partial-outage", GPU, way), course("partial-outage", CPU, way)

    assert min(span(gpu, 0, 300)) >= 2
    assert max(span(gpu, 60, 135)) >= 4
    # What spills is within one replica's target.
    assert set(cpu) == {1}


def test_load_that_fell_to_the_cpu_pool_counts_for_the_gpu_pool() -> None:
    query = next(
        metric.query
        for metric in metrics_of(rendered_scalers("hpa")[f"demo-diptych-{GPU}"])
        if metric.name.endswith("demand_rps")
    )
    own = query.replace('-gateway"}', '-gateway",pool="gpu"}', 1)

    values = evaluate(read_recording("partial-outage"), [query, own], 15)

    outage = slice(120 // 15, 210 // 15)
    asked, by_itself = values[query][outage], values[own][outage]
    # 30 requests a second are offered all the time; of itself the pool would see a part of them.
    assert all(value is not None and 25 < value < 35 for value in asked)
    assert all(a - b > 1 for a, b in zip(asked, by_itself, strict=True) if a and b)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_flaps(scenario: str) -> None:
    flapping = [
        (row.scaled, row.way) for row in rows() if row.scenario == scenario and row.course.turns > 1
    ]

    assert flapping == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_all_is_at_its_minimum_again_at_the_end(scenario: str) -> None:
    ends = {
        (row.scaled, row.way): row.course.replicas[-1] for row in rows() if row.scenario == scenario
    }

    assert ends == {
        (GATEWAY, "hpa"): 1,
        (GPU, "hpa"): 2,
        (CPU, "hpa"): 1,
        (GPU, "keda"): 0,
        (CPU, "keda"): 1,
    }


def test_query_that_yields_several_series_is_refused() -> None:
    recording = Recording(30, {f'up{{pod="{pod}"}}': [(0, 1.0), (15, 1.0)] for pod in "ab"})

    with pytest.raises(EvaluationError, match="2 series"):
        evaluate(recording, ["up"], 15)
