from __future__ import annotations

import numpy as np

from gateway.deciding.allocation import check_allocation

SHARES = {"a": 0.9, "b": 0.1}


def test_right_allocation_looked_at_again_and_again_raises_no_alarm() -> None:
    random = np.random.default_rng(3)
    alarms = 0
    for _ in range(300):
        b = np.cumsum(random.binomial(20, 0.1, 200))
        alarms += any(
            check_allocation(
                {"a": 20 * (look + 1) - int(units), "b": int(units)},
                SHARES,
                sightings=1,
                level=0.05,
            ).is_mismatch
            for look, units in enumerate(b)
        )
    # 15 are expected at most; 25 or more would come by chance in 1 of 100.
    assert alarms < 25


def test_arm_that_loses_a_tenth_of_its_units_is_found() -> None:
    check = check_allocation({"a": 90_000, "b": 9_000}, SHARES, sightings=1, level=0.001)
    assert check.is_mismatch


def test_units_that_several_processes_may_have_counted_prove_less() -> None:
    units = {"a": 9000, "b": 1150}
    alone = check_allocation(units, SHARES, sightings=1, level=0.001)
    counted = check_allocation(units, SHARES, sightings=4, level=0.001)
    assert alone.is_mismatch
    assert not counted.is_mismatch


def test_one_arm_alone_has_nothing_to_be_split() -> None:
    check = check_allocation({"a": 0, "b": 5}, {"a": 0.0, "b": 1.0}, sightings=1, level=0.05)
    assert not check.is_mismatch
