from __future__ import annotations

import random

import pytest

from gateway.admission.shares import ClientShares

LIMIT = 16
LATENCY_S = 0.2


def places_held(
    rates_rps: dict[str, float], duration_s: float = 8.0, weights: dict[str, float] | None = None
) -> dict[str, list[bool]]:
    """Lets clients ask at their rates, each place held `LATENCY_S`; whether each ask was heard."""
    shares, chance = ClientShares(), random.Random(0)
    asks = sorted(
        (at_s, name)
        for name, rate_rps in rates_rps.items()
        for at_s in _arrivals(rate_rps, duration_s, chance)
    )
    held: list[tuple[float, str]] = []
    heard: dict[str, list[bool]] = {name: [] for name in rates_rps}
    for at_s, name in asks:
        while held and held[0][0] <= at_s:
            shares.move(held.pop(0)[1], -1)
        weight = (weights or {}).get(name, 1.0)
        shares.note_arrival(name, LIMIT, LATENCY_S, at_s, weight=weight)
        is_in = len(held) < LIMIT and shares.has_room(name)
        if is_in:
            shares.move(name, 1)
            held.append((at_s + LATENCY_S, name))
        if at_s > 2:
            heard[name].append(is_in)
    return heard


def _arrivals(rate_rps: float, duration_s: float, chance: random.Random) -> list[float]:
    at_s, times = chance.expovariate(rate_rps), []
    while at_s < duration_s:
        times.append(at_s)
        at_s += chance.expovariate(rate_rps)
    return times


def test_shares_lone_client_has_all_places() -> None:
    heard = places_held({"a": 1000.0})["a"]
    assert sum(heard) / 6 == pytest.approx(LIMIT / LATENCY_S, rel=0.05)  # the last window's edge


def test_shares_greedy_client_leaves_a_modest_one_what_it_asks() -> None:
    heard = places_held({"modest": 10.0, "greedy": 800.0})
    # Its bursts may meet places that the other still holds.
    assert sum(heard["modest"]) >= 0.9 * len(heard["modest"])
    # And nothing stays empty that the modest one does not need: 2 of 16 places, and its bursts.
    assert sum(heard["greedy"]) / 6 >= 0.6 * LIMIT / LATENCY_S


def test_shares_equal_clients_get_equal_parts() -> None:
    heard = places_held({"a": 300.0, "b": 300.0, "c": 300.0})
    parts = [sum(each) for each in heard.values()]
    assert max(parts) < 1.2 * min(parts)


def test_shares_busy_clients_get_parts_by_weight() -> None:
    heard = places_held({"a": 300.0, "b": 300.0}, weights={"a": 3.0})
    # 12 and 4 of 16 places.
    assert sum(heard["a"]) == pytest.approx(3 * sum(heard["b"]), rel=0.15)  # a random load


def test_shares_more_clients_than_places_all_get_one() -> None:
    heard = places_held({f"client {index}": 2.0 for index in range(40)})
    assert all(any(each) for each in heard.values())
