"""Shared cores against what processor sharing gives, and the simulation on them."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import fmean

import pytest

from loadtest.capacity.cores import Cores
from loadtest.capacity.events import Events
from loadtest.capacity.profile import Profile, StepProfile, mean_profile
from loadtest.capacity.serving import Job, Step
from loadtest.capacity.simulation import Setting, simulate
from loadtest.traffic.shapes import Steady

# Of some 40,000 requests whose times depend on each other; ten other seeds stay within 3 per cent.
TOLERANCE = 0.05


def ends(cores: int, *works_s: float, slowdown: float = 1.0, seed: int = 0) -> list[float]:
    """When pieces of work end that all begin at 0."""
    events = Events()
    machine = Cores(events, cores, random.Random(seed), slowdown)
    ended: dict[int, float] = {}
    for number, work_s in enumerate(works_s):

        def note(number: int = number) -> None:
            ended[number] = events.now_s

        machine.run(work_s, note)
    events.run()
    return [ended[number] for number in range(len(works_s))]


def test_as_much_work_as_cores_takes_what_it_takes_alone() -> None:
    assert ends(2, 1.0, 3.0) == pytest.approx([1.0, 3.0])


def test_a_third_on_two_cores_shares_that_of_one_of_them() -> None:
    beside_first, beside_second = [2.0, 2.0, 4.0], [1.0, 2.5, 3.5]
    seen = [ends(2, 1.0, 2.0, 3.0, seed=seed) for seed in range(10)]

    # Beside the second, what is left moves to the core that gets free, within a tick of 4 ms.
    assert all(
        each == pytest.approx(beside_first) or each == pytest.approx(beside_second, abs=0.004)
        for each in seen
    )
    assert {each[0] for each in seen} == {1.0, 2.0}


def test_all_work_is_done_whoever_gets_which_core() -> None:
    # Two cores can be idle for a tick each time that one of them runs out of work.
    works_s = [0.1 * number for number in range(1, 20)]
    last_s = max(ends(2, *works_s))

    assert sum(works_s) / 2 <= last_s <= sum(works_s) / 2 + max(works_s)


def test_cores_that_are_busy_together_are_slower() -> None:
    assert ends(2, 1.0, slowdown=1.5) == pytest.approx([1.0])
    assert ends(2, 1.0, 1.0, slowdown=1.5) == pytest.approx([1.5, 1.5])


def profile(*, cores: int | None, slowdown: float = 1.0, instances: int = 1) -> Profile:
    step = StepProfile(
        name="image", max_batch=1, instances=instances, service_ms={1: 10.0}, variation=1.0
    )
    return Profile(
        variant="v",
        device="d",
        branches=(step,),
        overhead_ms=0.0,
        cores=cores,
        slowdown=slowdown,
    )


def latencies_ms(of: Profile, rate_rps: float, beside_cpu_ms: float = 0.0) -> list[float]:
    return simulate(
        Setting(
            profile=of,
            replicas=1,
            shape=Steady(kind="steady", rate_rps=rate_rps),
            duration_s=40_000 / rate_rps,
            has_admission=False,
            beside_cpu_ms=beside_cpu_ms,
        )
    ).latencies_ms


def test_step_with_many_instances_on_one_core_is_m_m_1_with_processor_sharing() -> None:
    # Its mean is that of M/M/1 (Kleinrock 1967): 10 ms over a use of 0.7.
    mean_ms = fmean(latencies_ms(profile(cores=1, instances=64), 70.0))

    assert mean_ms == pytest.approx(10.0 / 0.3, rel=TOLERANCE)


def test_lone_instance_that_shares_with_nobody_is_as_on_a_device_of_its_own() -> None:
    shared, own = (fmean(latencies_ms(profile(cores=each), 50.0)) for each in (2, None))

    assert shared == pytest.approx(own)


def test_gateway_beside_the_steps_adds_its_time_and_takes_it_from_them() -> None:
    alone, beside = (
        fmean(latencies_ms(profile(cores=1, instances=64), 40.0, cpu_ms)) for cpu_ms in (0.0, 4.0)
    )

    assert beside > alone + 4.0


def test_most_is_what_the_cores_give_where_the_steps_could_do_more() -> None:
    four = profile(cores=2, slowdown=1.25, instances=4)

    assert four.most_rps() == pytest.approx(2 * 1000 / 10 / 1.25)
    assert four.most_rps(beside_cpu_ms=10.0) == pytest.approx(1000 / 10 / 1.25)
    assert four.model_copy(update={"cores": None}).most_rps() == pytest.approx(4 * 1000 / 10)


def test_requests_are_due_when_the_setting_says() -> None:
    setting = Setting(profile(cores=None), 1, Steady(kind="steady", rate_rps=1.0), 10.0)

    assert simulate(replace(setting, due_s=(0.5, 1.0, 7.0))).offered == 3


def test_mean_of_two_profiles_lies_between_them() -> None:
    slow, fast = profile(cores=2, slowdown=1.4), profile(cores=2, slowdown=1.2)
    step = fast.branches[0].model_copy(update={"service_ms": {1: 20.0}, "wake_ms": 3.0})

    mean = mean_profile(slow, fast.model_copy(update={"branches": (step,)}))

    assert mean.slowdown == pytest.approx(1.3)
    assert mean.branches[0].service_ms == {1: 15.0}
    assert mean.branches[0].wake_ms == 1.5


@pytest.mark.parametrize(("busy_s", "expected_s"), [(0.0, 0.020), (0.004, 0.016)])
def test_step_wakes_where_a_core_is_idle_and_a_fifth_as_long_elsewhere(
    busy_s: float, expected_s: float
) -> None:
    events, ended = Events(), []
    cores = Cores(events, 1, random.Random(0))
    if busy_s:
        cores.run(busy_s, lambda: None)
    profile = StepProfile(name="step", max_batch=1, service_ms={1: 10.0}, wake_ms=10.0)
    step = Step(profile, events, cores, random.Random(0), lambda _job: ended.append(events.now_s))
    step.enter(Job(lambda _job: None))
    events.run()
    # 10 ms and 10 to wake; or, beside 4 ms of other work on the same core, 10, those 4, and 2
    assert ended == pytest.approx([expected_s])
