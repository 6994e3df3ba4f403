from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.ramping.lease import LEASE_S, Lease
from tests.gateway.ramping.replicas import Clock

if TYPE_CHECKING:
    from tests.gateway.ramping.replicas import Replica

pytestmark = pytest.mark.anyio


async def test_one_holds_it_and_another_takes_over_once_it_is_silent(
    replicas: tuple[Replica, Replica],
) -> None:
    database = replicas[0].database
    clock = Clock()
    one, other = Lease("one", clock), Lease("other", clock)
    assert await database.write(one.hold)
    assert not await database.write(other.hold)
    clock.now_s += LEASE_S - 0.1
    assert not await database.write(other.hold)
    assert await database.write(one.hold)
    clock.now_s += LEASE_S - 0.1
    assert not await database.write(other.hold)  # the first has moved since
    clock.now_s += LEASE_S
    assert await database.write(other.hold)
    assert other.token == one.token + 1


async def test_holder_that_wakes_up_after_another_took_over_does_not_hold(
    replicas: tuple[Replica, Replica],
) -> None:
    database = replicas[0].database
    clock = Clock()
    one, other = Lease("one", clock), Lease("other", clock)
    await database.write(one.hold)
    await database.write(other.hold)
    clock.now_s += LEASE_S
    assert await database.write(other.hold)
    assert not await database.write(one.hold)


async def test_clocks_that_do_not_agree_take_nothing_from_the_holder(
    replicas: tuple[Replica, Replica],
) -> None:
    database = replicas[0].database
    of_one, of_other = Clock(0.0), Clock(1e9)
    one, other = Lease("one", of_one), Lease("other", of_other)
    for _ in range(3):
        assert await database.write(one.hold)
        assert not await database.write(other.hold)
        of_other.now_s += LEASE_S - 0.1


async def test_released_lease_is_taken_at_once(replicas: tuple[Replica, Replica]) -> None:
    database = replicas[0].database
    clock = Clock()
    one, other = Lease("one", clock), Lease("other", clock)
    await database.write(one.hold)
    await database.write(one.release)
    assert await database.write(other.hold)


async def test_release_of_a_lease_that_another_holds_changes_nothing(
    replicas: tuple[Replica, Replica],
) -> None:
    database = replicas[0].database
    clock = Clock()
    one, other = Lease("one", clock), Lease("other", clock)
    await database.write(one.hold)
    await database.write(other.release)
    assert await database.write(one.hold)
    assert not await database.write(other.hold)
