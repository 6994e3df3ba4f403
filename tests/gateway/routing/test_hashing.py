from __future__ import annotations

import hashlib
import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.routing.hashing import SLOTS, pick_arm, slot, uniform

UNITS = [f"user-{number}" for number in range(4000)]

weights_of = st.integers(min_value=0, max_value=1000).map(float)
arm_names = st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=6, unique=True)


@st.composite
def two_weightings(draw: st.DrawFn) -> tuple[dict[str, float], dict[str, float]]:
    """Draws two weightings of the same arms; each has a weight above 0."""
    names = draw(arm_names)
    weightings = st.fixed_dictionaries(dict.fromkeys(names, weights_of)).filter(
        lambda weights: any(weights.values())
    )
    return draw(weightings), draw(weightings)


def test_pick_arm_is_what_the_documentation_says() -> None:
    """Anyone can compute it from the README alone; so a change here moves every running unit."""
    digest = hashlib.sha256(b"arm\0heads\0demo\0user-1").hexdigest()
    assert uniform("arm", "heads", "demo", "user-1") == ((int(digest[:16], 16) >> 11) + 0.5) / 2**53
    assert [pick_arm("heads", f"user-{n}", {"demo": 1, "other": 1}) for n in range(8)] == [
        *["other", "other", "other", "demo"],
        *["other", "other", "other", "other"],
    ]


@given(two_weightings(), st.text(max_size=20))
def test_pick_arm_moves_only_to_an_arm_that_gained_on_the_old_one(
    weightings: tuple[dict[str, float], dict[str, float]], salt: str
) -> None:
    before, after = weightings
    for unit in UNITS[:50]:
        old, new = pick_arm(salt, unit, before), pick_arm(salt, unit, after)
        if old != new:
            # weight(new) / weight(old) has grown, written without a division
            assert after[new] * before[old] > before[new] * after[old]


@given(st.integers(1, 999), st.integers(1, 999), st.integers(1, 500))
def test_pick_arm_one_weight_changed_moves_no_unit_between_other_arms(
    first: int, second: int, third: int
) -> None:
    before = {"a": float(first), "b": 100.0, "c": float(third)}
    after = before | {"a": float(second)}
    for unit in UNITS[:200]:
        old, new = pick_arm("salt", unit, before), pick_arm("salt", unit, after)
        assert old == new or "a" in {old, new}


@settings(max_examples=20)
@given(two_weightings())
def test_pick_arm_moves_no_more_units_than_it_must(
    weightings: tuple[dict[str, float], dict[str, float]],
) -> None:
    before, after = (
        {arm: weight / sum(each.values()) for arm, weight in each.items()} for each in weightings
    )
    variation = sum(abs(before[arm] - after[arm]) for arm in before) / 2
    moved = sum(pick_arm("s", u, before) != pick_arm("s", u, after) for u in UNITS) / len(UNITS)
    # five standard deviations of a share among that many units
    assert moved <= 2 * variation / (1 + variation) + 5 * math.sqrt(0.25 / len(UNITS))


def test_pick_arm_shares_are_the_weights() -> None:
    weights = {"a": 70.0, "b": 20.0, "c": 10.0}
    counts = Counter(pick_arm("salt", unit, weights) for unit in UNITS)
    for arm, weight in weights.items():
        deviation = math.sqrt(weight / 100 * (1 - weight / 100) / len(UNITS))
        assert abs(counts[arm] / len(UNITS) - weight / 100) < 5 * deviation


def test_other_salts_and_layers_draw_independently() -> None:
    both = Counter(
        (
            pick_arm("one", u, {"a": 1, "b": 1}),
            pick_arm("two", u, {"a": 1, "b": 1}),
            slot("x", u) < 500,
        )
        for u in UNITS
    )
    # eight cells of 500 each, five standard deviations of a count
    assert all(abs(count - 500) < 5 * math.sqrt(500) for count in both.values())
    assert len(both) == 8


@given(st.text(), st.text())
def test_slot_is_one_of_the_layers(layer: str, unit: str) -> None:
    assert 0 <= slot(layer, unit) < SLOTS
