from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.classification.shadow import by_label, total_variation
from gateway.classification.values import Scores
from tests.gateway.admin import Admin, run_admin
from tests.gateway.conftest import StartGateway, eventually
from tests.gateway.manifests import LABELS, make_repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.fake_triton import FakeTriton

SHADOW = "/v1/admin/shadows/candidate"
EVERYTHING = {"candidate": "other", "share": 1.0}

shares = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(
    lambda weights: dict(zip("abc", (each / sum(weights) for each in weights), strict=True))
)


@given(shares, shares)
def test_total_variation_is_a_distance_between_0_and_1(
    one: dict[str, float], other: dict[str, float]
) -> None:
    assert 0 <= total_variation(one, other) <= 1
    assert total_variation(one, other) == total_variation(other, one)
    assert total_variation(one, one) == 0


def test_total_variation_of_other_labels_is_1() -> None:
    assert total_variation({"a": 1.0}, {"b": 1.0}) == 1
    assert total_variation({"a": 0.7, "b": 0.3}, {"a": 0.5, "b": 0.5}) == pytest.approx(0.2)


def test_by_label_is_calibrated() -> None:
    scores = Scores(np.array([0.0, 2.0], np.float32), ("a", "b"), 2.0)
    assert by_label(scores)["b"] == pytest.approx(np.e / (1 + np.e))


@pytest.fixture
async def admin(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> AsyncIterator[Admin]:
    async with run_admin(start_gateway, triton, tmp_path) as running:
        yield running


async def compared(admin: Admin, wanted: dict[str, int]) -> dict[str, Any]:
    """Waits until the outcomes of the shadow are those wanted; returns what is shown of it."""
    async with asyncio.timeout(5):
        while True:
            (shadow,) = (await admin.traffic())["shadows"]
            if shadow["outcomes"] == wanted:
                return dict(shadow)
            await asyncio.sleep(0.02)


@pytest.mark.anyio
async def test_shadow_compares_and_answers_nobody(admin: Admin) -> None:
    await admin.call("PUT", SHADOW, {**EVERYTHING, "of": "demo", "max_concurrency": 8})
    for _ in range(3):
        assert (await admin.classify())["variant"] == "demo"
    await admin.classify(variant="other")
    shadow = await compared(admin, {"agreed": 3})
    assert (shadow["agreement"], shadow["is_served"]) == (1.0, True)
    assert shadow["distance"]["mean"] == 0
    assert shadow["candidate_ms"]["p50"] > 0


@pytest.mark.anyio
async def test_shadow_that_differs_says_how_much(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> None:
    async with run_admin(start_gateway, triton, tmp_path) as admin:
        triton.repository |= make_repository(variant="reversed", labels=LABELS[::-1])
        await admin.call("PUT", SHADOW, {"candidate": "reversed", "of": "demo", "share": 1})
        async with asyncio.timeout(5):
            while not (  # noqa: ASYNC110 - the server has no event
                (await admin.traffic())["shadows"][0]["is_served"]
            ):
                await asyncio.sleep(0.02)
        await admin.classify(variant="demo")
        shadow = await compared(admin, {"differed": 1})
        odds = np.exp(np.arange(3) / 2)  # the fake's logits, and the manifest's temperature
        best, worst = odds[2] / odds.sum(), odds[0] / odds.sum()
        assert shadow["distance"]["mean"] == pytest.approx(best - worst)


@pytest.mark.anyio
async def test_slow_candidate_costs_the_caller_nothing_and_is_given_up(
    admin: Admin, triton: FakeTriton
) -> None:
    await admin.call("PUT", SHADOW, {**EVERYTHING, "max_concurrency": 1, "deadline_ms": 300})
    triton.held = "other"
    await admin.classify()
    await eventually(lambda: triton.running == 1)
    await admin.classify()  # answered while the candidate is stuck
    await compared(admin, {"dropped_full": 1, "deadline_exceeded": 1})


@pytest.mark.anyio
async def test_busy_service_drops_shadows_first(admin: Admin, triton: FakeTriton) -> None:
    await admin.call("PUT", SHADOW, {**EVERYTHING, "of": "demo", "deadline_ms": 60_000})
    triton.held = "other"
    await admin.classify()
    await eventually(lambda: triton.running == 1)
    limit = await concurrency_limit(admin)
    waiting = [asyncio.create_task(admin.classify(variant="other")) for _ in range(limit // 2 + 1)]
    await eventually(lambda: triton.running == len(waiting) + 1)
    await admin.classify()  # what runs is cancelled, and nothing is begun
    await compared(admin, {"dropped_busy": 2})
    await eventually(lambda: triton.running == len(waiting))
    triton.release.set()
    await asyncio.gather(*waiting)


async def concurrency_limit(admin: Admin) -> int:
    """Returns how many may be in flight now."""
    text = (await admin.gateway.http.get("/metrics")).text
    (line,) = [
        each for each in text.splitlines() if each.startswith("diptych_gateway_concurrency_limit ")
    ]
    return int(float(line.split()[1]))


@pytest.mark.anyio
async def test_shadow_of_what_is_not_served_fails_alone(admin: Admin) -> None:
    await admin.call("PUT", SHADOW, {"candidate": "none", "share": 1.0})
    await admin.classify()
    await compared(admin, {"variant_unavailable": 1})


@pytest.mark.anyio
async def test_share_is_of_requests(admin: Admin) -> None:
    await admin.call("PUT", SHADOW, {**EVERYTHING, "share": 0.0})
    await admin.classify()
    assert (await admin.traffic())["shadows"][0]["outcomes"] == {}
