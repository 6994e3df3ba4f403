from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from gateway.catalog import build_catalog
from gateway.errors import UnknownVariantError, VariantUnavailableError
from gateway.routing.plan import EMPTY_PLAN, make_plan
from gateway.routing.reason import Reason
from gateway.routing.router import Router, Traffic
from tests.gateway.manifests import make_repository
from tests.gateway.routing.traffic import experiment, subject

if TYPE_CHECKING:
    from gateway.routing.definitions import ExperimentDefinition

DEMO = make_repository(variant="demo", created_at=datetime(2026, 1, 1, tzinfo=UTC))
OTHER = make_repository(variant="other", created_at=datetime(2026, 1, 2, tzinfo=UTC))
ALL_TO_OTHER = {"demo": {"weight": 0}, "other": {"weight": 1}}


def make_router(
    manifests: dict[str, str],
    *experiments: ExperimentDefinition,
    promoted: str | None = None,
    default: str | None = None,
) -> Router:
    catalog = build_catalog(manifests)
    traffic = Traffic(make_plan(experiments), promoted)
    return Router(lambda: catalog, lambda: traffic, default, lambda: 0.0)


def test_decide_named_variant_wins_over_experiments() -> None:
    router = make_router(DEMO | OTHER, experiment(arms=ALL_TO_OTHER), promoted="other")
    decision = router.decide("demo", subject())
    assert (decision.variant.name, decision.reason) == ("demo", Reason.REQUESTED)
    with pytest.raises(UnknownVariantError):
        router.decide("dem", subject())


def test_decide_drawn_arm_answers() -> None:
    decision = make_router(DEMO | OTHER, experiment(arms=ALL_TO_OTHER)).decide(None, subject())
    assert (decision.variant.name, decision.reason) == ("other", Reason.ASSIGNED)
    assert decision.draw is not None
    assert decision.draw.is_sticky


@pytest.mark.parametrize(
    ("promoted", "default", "expected"),
    [
        ("demo", "other", ("demo", Reason.PROMOTED)),
        (None, "demo", ("demo", Reason.CONFIGURED)),
        (None, None, ("other", Reason.NEWEST)),
        ("gone", None, ("other", Reason.NEWEST)),
    ],
)
def test_decide_outside_of_experiments(
    promoted: str | None, default: str | None, expected: tuple[str, Reason]
) -> None:
    router = make_router(DEMO | OTHER, promoted=promoted, default=default)
    decision = router.decide(None, subject())
    assert (decision.variant.name, decision.reason) == expected


@pytest.mark.parametrize(
    ("other", "digest", "gate"),
    [
        ({}, None, "not_served"),
        (make_repository(variant="other", has_passed=False), None, "parity_failed"),
        (make_repository(variant="other", has_passed=None), None, "parity_missing"),
        (dict(list(OTHER.items())[:2]), None, "incomplete"),
        (OTHER, "b" * 12, "digest_mismatch"),
    ],
)
def test_decide_arm_that_may_not_serve_gives_its_share_to_the_control(
    other: dict[str, str], digest: str | None, gate: str
) -> None:
    arms = {"demo": {"weight": 0}, "other": {"weight": 1, "digest": digest}}
    router = make_router(DEMO | other, experiment(arms=arms))
    decision = router.decide(None, subject())
    assert (decision.variant.name, decision.reason) == ("demo", Reason.ARM_GATED)
    assert decision.gate == gate
    assert decision.draw is not None
    assert decision.draw.arm == "other"
    assert router.gates() == {("heads", "other"): gate}


def test_decide_pinned_digest_that_serves_answers() -> None:
    arms = {"demo": {"weight": 0}, "other": {"weight": 1, "digest": "a" * 12}}
    decision = make_router(DEMO | OTHER, experiment(arms=arms)).decide(None, subject())
    assert decision.variant.name == "other"


def test_decide_without_control_the_other_arms_go_on_and_its_units_go_to_the_default() -> None:
    third = make_repository(variant="third", created_at=datetime(2026, 1, 3, tzinfo=UTC))
    router = make_router(OTHER | third, experiment())
    served = {
        decision.variant.name: decision.reason
        for number in range(50)
        for decision in [router.decide(None, subject(f"user-{number}"))]
    }
    assert served == {"other": Reason.ASSIGNED, "third": Reason.NEWEST}


def test_gate_keeps_traffic_away_for_a_while() -> None:
    catalog, now_s = build_catalog(DEMO | OTHER), [0.0]
    traffic = Traffic(make_plan([experiment(arms=ALL_TO_OTHER)]))
    router = Router(lambda: catalog, lambda: traffic, None, lambda: now_s[0])
    instead = router.gate(router.decide(None, subject()))
    assert instead is not None
    assert (instead.variant.name, instead.reason) == ("demo", Reason.ARM_GATED)
    assert router.decide(None, subject()).variant.name == "demo"
    assert router.gate(instead) is None
    assert router.gates() == {("heads", "other"): "not_served"}
    now_s[0] = 5.0
    assert router.gates() == {}
    assert router.decide(None, subject()).variant.name == "other"


def test_default_before_anything_is_served_is_unavailable() -> None:
    router = Router(lambda: build_catalog({}), lambda: Traffic(EMPTY_PLAN), None, lambda: 0.0)
    with pytest.raises(VariantUnavailableError):
        router.default()
