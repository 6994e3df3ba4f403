"""The autoscaler's algorithm, by the examples of Kubernetes' documentation and by its rules."""

from __future__ import annotations

from itertools import pairwise

import pytest

from deploy.autoscaling.hpa import Direction, HorizontalScaler, Limits, Metric, Policy
from deploy.autoscaling.keda import Activation

FAST = Direction(0, (Policy("Percent", 900, 15),))


def scaler(
    *metrics: Metric, up: Direction = FAST, down: Direction = FAST, fewest: int = 1, most: int = 100
) -> HorizontalScaler:
    return HorizontalScaler(Limits(fewest, most, up, down), metrics)


def shared(target: float, name: str = "load") -> Metric:
    return Metric(name, f"sum({name})", "AverageValue", target)


@pytest.mark.parametrize(("total", "wanted"), [(43, 4), (37, 4), (45, 5), (35, 4), (20, 2)])
def test_total_is_shared_and_within_a_tenth_nothing_changes(total: float, wanted: int) -> None:
    assert scaler(shared(10)).decide(0, 4, 4, {"load": total}) == wanted


def test_value_is_compared_with_its_target_and_counts_replicas_that_serve() -> None:
    queue = Metric("queue", "q", "Value", 40)

    assert scaler(queue).decide(0, 4, 2, {"queue": 80}) == 4
    assert scaler(queue).decide(0, 4, 4, {"queue": 80}) == 8


def test_metric_that_asks_for_most_counts() -> None:
    two = scaler(shared(10, "a"), shared(10, "b"))

    assert two.decide(0, 2, 2, {"a": 10, "b": 50}) == 5


def test_nothing_is_taken_away_while_a_metric_is_missing() -> None:
    two = scaler(shared(10, "a"), shared(10, "b"))

    assert two.decide(0, 4, 4, {"a": 10, "b": None}) == 4
    assert two.decide(15, 4, 4, {"a": 80, "b": None}) == 8
    assert two.decide(30, 8, 8, {"a": None, "b": None}) == 8


def test_replicas_stay_between_fewest_and_most() -> None:
    narrow = scaler(shared(10), fewest=2, most=5)

    assert narrow.decide(0, 3, 3, {"load": 500}) == 5
    assert narrow.decide(15, 5, 5, {"load": 0}) == 2


def test_scale_down_goes_by_the_policy_that_allows_more() -> None:
    """The example of the documentation: 10 per cent or 4 pods a minute, 80 replicas, 10 wanted."""
    down = Direction(0, (Policy("Pods", 4, 60), Policy("Percent", 10, 60)))
    slow = scaler(shared(10), down=down)
    replicas, seen = 80, [80]
    for minute in range(40):
        # A little later than a minute after the last change: its period is over.
        replicas = slow.decide(61 * minute, replicas, replicas, {"load": 100})
        seen.append(replicas)

    assert seen[:3] == [80, 72, 64]
    assert {before - after for before, after in pairwise(seen) if before < 40} <= {
        4,
        2,
        0,
    }
    assert seen[-1] == 10


def test_scale_up_within_a_period_counts_what_was_added_in_it() -> None:
    up = Direction(0, (Policy("Pods", 2, 60), Policy("Percent", 100, 60)))
    paced = scaler(shared(1), up=up)

    assert paced.decide(0, 3, 3, {"load": 50}) == 6
    assert paced.decide(15, 6, 3, {"load": 50}) == 6
    assert paced.decide(61, 6, 6, {"load": 50}) == 12


def test_scale_down_waits_for_the_highest_advice_of_the_window() -> None:
    steady = scaler(shared(10), down=Direction(300, (Policy("Pods", 100, 15),)))
    course = [steady.decide(0, 4, 4, {"load": 40})]
    course += [
        steady.decide(at_s, course[-1], course[-1], {"load": 0}) for at_s in range(15, 600, 15)
    ]

    assert course[19] == 4  # 285 s later
    assert course[20] == 1


def test_short_dip_within_the_window_changes_nothing() -> None:
    steady = scaler(shared(10), down=Direction(300, (Policy("Pods", 100, 15),)))

    loads = [40, 0, 0, 40] * 10
    assert {steady.decide(15 * n, 4, 4, {"load": load}) for n, load in enumerate(loads)} == {4}


def test_last_replica_goes_after_the_cooldown_and_comes_back_by_demand() -> None:
    object_ = Activation(scaler(shared(10)), {"load": 5}, cooldown_s=600)

    assert object_.decide(0, 1, 1, {"load": 8}) == 1
    assert object_.decide(600, 1, 1, {"load": 2}) == 1
    assert object_.decide(615, 1, 1, {"load": 2}) == 0
    assert object_.decide(630, 0, 0, {"load": 5}) == 0
    assert object_.decide(645, 0, 0, {"load": 5.1}) == 1


def test_last_replica_stays_while_metrics_are_missing() -> None:
    object_ = Activation(scaler(shared(10)), {"load": 5}, cooldown_s=60)
    object_.decide(0, 1, 1, {"load": 8})

    assert object_.decide(900, 1, 1, {"load": None}) == 1
