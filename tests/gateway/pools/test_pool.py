from __future__ import annotations

from collections import Counter

import pytest

from gateway.pools.endpoint import EndpointState
from gateway.pools.look import Look
from tests.gateway.pools.stand_ins import VARIANT, answer, fail, make_pool

pytestmark = pytest.mark.anyio


async def test_pick_spreads_over_idle_servers() -> None:
    pool = make_pool(3)
    picked = Counter(endpoint for _ in range(600) if (endpoint := pool.pick(VARIANT, 0.0)))
    assert len(picked) == 3
    assert min(picked.values()) > 150  # 200 each; four deviations of a binomial are 46


async def test_pick_shares_evenly_while_there_is_little_to_do() -> None:
    pool = make_pool(3)
    counts: Counter[str] = Counter()
    for now_s in range(600):
        endpoint = pool.pick(VARIANT, now_s)
        assert endpoint is not None
        endpoint.end(endpoint.begin(now_s, 1.0), now_s, has_succeeded=True)
        counts[endpoint.address] += 1
    # 200 each; by lot they would be 12 apart from that as a rule.
    assert max(counts.values()) - min(counts.values()) <= 8


async def test_pick_lets_a_server_that_stood_still_catch_up_by_a_few_turns_alone() -> None:
    pool = make_pool(3)
    still = pool.endpoints[0]
    attempts = [still.begin(0.0, 1.0) for _ in range(5)]
    for _ in range(300):
        assert pool.pick(VARIANT, 0.0) is not still
    for each in attempts:
        still.end(each, 1.0, has_succeeded=True)

    picked = [pool.pick(VARIANT, 1.0) for _ in range(300)]

    # 100 and the 8 that it may make up for, not the 100 that it missed; give or take one or two.
    assert 100 <= picked.count(still) <= 112


async def test_pick_avoids_the_server_with_most_on_its_way() -> None:
    pool = make_pool(3)
    stuck = pool.endpoints[1]
    for _ in range(5):
        stuck.begin(0.0, 1.0)
    assert all(pool.pick(VARIANT, 0.0) is not stuck for _ in range(100))


async def test_pick_takes_no_server_without_the_variant() -> None:
    pool = make_pool(2)
    assert pool.pick("another", 0.0) is None


async def test_pick_leaves_out_what_drains_or_was_tried() -> None:
    pool = make_pool(3)
    first, second, third = pool.endpoints
    first.is_draining = True
    assert {pool.pick(VARIANT, 0.0, (second,)) for _ in range(20)} == {third}


async def test_server_that_fails_three_times_in_a_row_is_ejected() -> None:
    pool = make_pool(3)
    bad = pool.endpoints[0]
    assert [fail(pool, bad, 0.0) for _ in range(3)] == [None, None, "failures"]
    assert bad.state(0.0) is EndpointState.EJECTED
    assert all(pool.pick(VARIANT, 0.0) is not bad for _ in range(50))


async def test_ejection_leaves_half_of_the_pool_until_a_server_fails_twice_as_often() -> None:
    pool = make_pool(3)
    for _ in range(3):
        fail(pool, pool.endpoints[0], 0.0)
    second = pool.endpoints[1]
    assert [fail(pool, second, 0.0) for _ in range(6)] == [None] * 5 + ["failures"]


async def test_only_server_is_left_out_by_its_breaker_and_the_pool_is_unhealthy() -> None:
    pool = make_pool(1)
    for _ in range(6):
        assert pool.is_healthy(0.0)
        fail(pool, pool.endpoints[0], 0.0)
    assert not pool.is_healthy(0.0)
    assert pool.is_healthy(1.0)  # half open: about to be back


async def test_server_that_is_slow_against_the_others_is_ejected() -> None:
    pool = make_pool(3)
    *quick, slow = pool.endpoints
    causes = []
    for now_s in range(10):
        assert [answer(pool, each, now_s, 0.03) for each in quick] == [None, None]
        causes.append(answer(pool, slow, now_s, 0.4))
    assert causes == [None] * 9 + ["latency"]
    assert slow.state(9.0) is EndpointState.EJECTED


async def test_servers_that_are_slow_alike_stay() -> None:
    pool = make_pool(3)
    causes = {answer(pool, each, n, 0.4) for n in range(30) for each in pool.endpoints}
    assert causes == {None}


async def test_last_server_is_not_measured_by_those_that_are_gone() -> None:
    pool = make_pool(2)
    left, gone = pool.endpoints
    for number in range(12):
        assert answer(pool, left, number, 0.04) is None
        assert answer(pool, gone, number, 0.04) is None
    gone.note_missed(is_final=True)
    # It has the load of both now, and its queue grows.
    assert {answer(pool, left, 20 + number, 0.4) for number in range(50)} == {None}
    assert left.state(80.0) is EndpointState.SERVING


async def test_servers_that_are_gone_count_in_the_half_that_may_be_left_out() -> None:
    pool = make_pool(3)
    gone, *left = pool.endpoints
    gone.note_missed(is_final=True)
    assert {fail(pool, left[0], 0.0) for _ in range(5)} == {None}


async def test_server_that_was_slow_is_judged_anew_after_a_trial() -> None:
    pool = make_pool(2)
    slow = pool.endpoints[0]
    for number in range(12):
        answer(pool, pool.endpoints[1], number, 0.03)
        if answer(pool, slow, number, 0.5):
            break
    for now_s in (20.0, 20.1):
        assert answer(pool, slow, now_s, 0.03) is None
    assert slow.state(20.2) is EndpointState.SERVING


async def test_attempt_of_a_caller_in_a_hurry_is_not_fair() -> None:
    pool = make_pool(1)
    for number in range(20):
        answer(pool, pool.endpoints[0], number, 0.1)
    endpoint = pool.endpoints[0]
    assert not pool.is_fair(endpoint.begin(0.0, 0.02))
    assert pool.is_fair(endpoint.begin(0.0, 0.5))


async def test_endpoint_silent_once_gets_another_look() -> None:
    endpoint = make_pool(1).endpoints[0]
    endpoint.note_missed(is_final=False)
    assert endpoint.is_ready
    endpoint.note_missed(is_final=False)
    assert endpoint.state(0.0) is EndpointState.NOT_READY


async def test_endpoint_that_is_back_is_tried_at_once() -> None:
    pool = make_pool(1)
    endpoint = pool.endpoints[0]
    for _ in range(6):
        fail(pool, endpoint, 0.0)
    endpoint.note_missed(is_final=True)
    endpoint.note_seen(Look((), endpoint.catalog))
    assert endpoint.state(0.0) is EndpointState.TRIAL
