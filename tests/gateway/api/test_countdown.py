"""The clock of a connection, on an event loop with real timers."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.api.countdown import Countdown

pytestmark = pytest.mark.anyio

SHORTEST_S = 0.05
LATE_S = 0.5
"""Later than this, on a machine whose cores are all taken, would be a fault."""


class Rung:
    """What rang, and when."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.after_s = 0.0
        self._begun_s = time.monotonic()
        self._event = asyncio.Event()

    def __call__(self, reason: str) -> None:
        self.reasons.append(reason)
        self.after_s = time.monotonic() - self._begun_s
        self._event.set()

    async def wait(self) -> None:
        await asyncio.wait_for(self._event.wait(), 5)


def make() -> tuple[Countdown[str], Rung]:
    rung = Rung()
    return Countdown(asyncio.get_running_loop(), SHORTEST_S, rung), rung


@pytest.mark.parametrize("timeout_s", [SHORTEST_S, 3.5 * SHORTEST_S])
async def test_it_rings_when_its_time_is_over_and_not_before(timeout_s: float) -> None:
    clock, rung = make()
    clock.start(timeout_s, "late")
    await rung.wait()
    assert rung.reasons == ["late"]
    assert timeout_s - 0.002 <= rung.after_s < timeout_s + LATE_S  # timers count milliseconds


async def test_wound_anew_only_the_last_time_counts() -> None:
    clock, rung = make()
    clock.start(SHORTEST_S, "first")
    await asyncio.sleep(SHORTEST_S / 2)
    clock.start(3 * SHORTEST_S, "second")
    await rung.wait()
    assert rung.reasons == ["second"]
    assert rung.after_s >= 3.5 * SHORTEST_S - 0.002


async def test_a_shorter_time_after_a_longer_one_rings_in_time() -> None:
    clock, rung = make()
    clock.start(60, "idle")
    await asyncio.sleep(2.5 * SHORTEST_S)  # its timer has looked twice and was made anew
    clock.start(SHORTEST_S, "head")
    await rung.wait()
    assert rung.reasons == ["head"]
    assert rung.after_s < 3.5 * SHORTEST_S + LATE_S


async def test_stopped_it_rings_no_more_until_it_is_wound_again() -> None:
    clock, rung = make()
    clock.start(SHORTEST_S, "never")
    clock.stop()
    await asyncio.sleep(2 * SHORTEST_S)
    assert rung.reasons == []
    clock.start(SHORTEST_S, "again")
    await rung.wait()
    assert rung.reasons == ["again"]


async def test_it_rings_once() -> None:
    clock, rung = make()
    clock.start(SHORTEST_S, "once")
    await asyncio.sleep(4 * SHORTEST_S)
    assert rung.reasons == ["once"]


async def test_closed_it_leaves_no_timer_behind() -> None:
    made = []
    loop = asyncio.get_running_loop()

    class Loop:
        """The running loop, which remembers its timers."""

        time = staticmethod(loop.time)

        @staticmethod
        def call_later(*given: object) -> asyncio.TimerHandle:
            made.append(loop.call_later(*given))  # type: ignore[arg-type]
            return made[-1]

    rung = Rung()
    clock: Countdown[str] = Countdown(Loop(), SHORTEST_S, rung)  # type: ignore[arg-type]
    for _ in range(1000):
        clock.start(SHORTEST_S, "late")
        clock.stop()
    clock.start(SHORTEST_S, "late")
    assert len(made) == 1
    clock.close()
    await asyncio.sleep(2 * SHORTEST_S)
    assert made[0].cancelled()
    assert rung.reasons == []
