"""From a profile, a load and a promise to replicas, batches, thresholds of the autoscaler.

What one replica sustains is simulated first, then the pool at its peak with a node lost, then days
of demand with bursts under the autoscaler. A pool too large to simulate is stood for by a cell of
it with the same load a replica: a smaller pool evens out less, so the cell errs on the safe side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadtest.capacity.day import DAY_S, Burst, DayOutcome, Demand, Scaling, live
from loadtest.capacity.search import best_batches
from loadtest.capacity.simulation import Loss, Outcome, Setting, simulate
from loadtest.traffic.shapes import Steady

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadtest.capacity.profile import Profile
    from loadtest.capacity.search import Sustained

_CELL: Final = 8
_CELL_REQUESTS: Final = 12_000
_MAX_SHED_AFTER_LOSS: Final = 0.01
_TARGET_RATIOS: Final = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
_HEADROOM: Final = 1.25  # of the most replicas over those of the peak
_GATEWAY_USE: Final = 0.7  # of a core: above, the event loop's own queue shows in P99
_GROWTH: Final = 1.05
_TRIALS: Final = 12


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        peak_rps: at noon.
        night_ratio: demand at midnight, of the peak.
        burst_factor: a burst of five minutes in the morning, times the demand of that time.
        p99_ms: the promise.
        max_shed_ratio: of a day's requests that may be refused.
        pods_per_node: that are lost with a node.
        has_autoscaler: whether the pool follows its load; else it is one size all day.
    """

    peak_rps: float
    p99_ms: float = 500.0
    night_ratio: float = 0.2
    burst_factor: float = 1.5
    max_shed_ratio: float = 0.001
    pods_per_node: int = 1
    has_autoscaler: bool = True

    @property
    def demand(self) -> Demand:
        """A day of it, with two bursts."""
        bursts = tuple(Burst(hour * 3600.0, 300.0, self.burst_factor) for hour in (3.0, 9.0))
        return Demand(self.peak_rps * self.night_ratio, self.peak_rps, bursts)

    @property
    def highest_rps(self) -> float:
        """The most of that day, bursts included."""
        return max(map(self.demand.at, range(0, DAY_S, 60)))


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        wish: what was asked for.
        sustained: what one replica carries, with which batches.
        replicas: of Triton at the peak, so many that one node may be lost.
        at_peak: the simulated cell before and after the loss.
        day: of the autoscaler that was chosen, or of a pool of one size.
        scaling: its settings; without one, as many at least as at most.
        gateways: processes of the gateway at the peak; without an autoscaler, in the highest burst.
        is_within: whether everything asked for is met.
    """

    wish: Wish
    sustained: Sustained
    replicas: int
    at_peak: Outcome
    day: DayOutcome
    scaling: Scaling
    gateways: int
    is_within: bool


def make_plan(profile: Profile, wish: Wish, tell: Callable[[str], None] = lambda _: None) -> Plan:
    """Makes the plan.

    Raises:
        UnreachableTargetError: no replica keeps the promise at any rate.
    """
    best = best_batches(
        profile,
        wish.p99_ms,
        lambda found: tell(
            f"batches of {found.profile.branches[0].max_batch}, delay "
            f"{found.profile.branches[0].delay_ms:g} ms: {found.rate_rps:.1f}/s a replica, P99 "
            f"{found.p99_ms:.0f} ms"
        ),
    )
    replicas, at_peak, survives = _replicas(best, wish, tell)
    if wish.has_autoscaler:
        scaling, day = _scaling(best, wish, replicas, profile.pod_start_s, tell)
    else:
        scaling, day = _one_size(best, wish, replicas, profile.pod_start_s, tell)
        replicas = scaling.most
    gateway_rps = wish.peak_rps if wish.has_autoscaler else wish.highest_rps
    gateways = max(2, math.ceil(gateway_rps * profile.gateway_cpu_ms / 1000 / _GATEWAY_USE))
    is_within = survives and day.shed_ratio <= wish.max_shed_ratio
    return Plan(wish, best, replicas, at_peak, day, scaling, gateways, is_within)


def _replicas(
    best: Sustained, wish: Wish, tell: Callable[[str], None]
) -> tuple[int, Outcome, bool]:
    """Adds replicas until the pool keeps the promise at its peak when a node is lost."""
    count = max(2, math.ceil(wish.peak_rps / best.rate_rps))
    outcome = Outcome()
    for _ in range(_TRIALS):
        cell = min(count, _CELL)
        lost = min(cell - 1, max(1, round(cell * wish.pods_per_node / count)))
        rate_rps = wish.peak_rps * cell / count
        duration_s = _CELL_REQUESTS / rate_rps
        outcome = simulate(
            Setting(
                profile=best.profile,
                replicas=cell,
                shape=Steady(kind="steady", rate_rps=rate_rps),
                duration_s=duration_s,
                warm_up_s=duration_s / 10,
                loss=Loss(duration_s / 2, lost),
                budget_s=wish.p99_ms / 1000,
            )
        )
        simulated = f", simulated as {cell}," if cell < count else ""
        tell(
            f"{count} replicas{simulated} lose {lost}: shed {outcome.shed_ratio:.2%}, P99 "
            f"{outcome.latency.p99_ms:.0f} ms"
        )
        if outcome.shed_ratio <= _MAX_SHED_AFTER_LOSS:
            return count, outcome, True
        count = max(count + 1, math.ceil(count * _GROWTH))
    return count, outcome, False


def _scaling(
    best: Sustained,
    wish: Wish,
    replicas: int,
    pod_start_s: float,
    tell: Callable[[str], None],
) -> tuple[Scaling, DayOutcome]:
    """Lowers the target until a day with bursts sheds little enough; the highest that does."""
    demand = wish.demand
    scaling = day = None
    for ratio in _TARGET_RATIOS:
        target_rps = ratio * best.rate_rps
        fewest = max(2, math.ceil(demand.night_rps / target_rps))
        most = max(replicas, math.ceil(_HEADROOM * wish.highest_rps / target_rps))
        scaling = Scaling(fewest, most, target_rps, pod_start_s)
        day = live(demand, scaling, best.rate_rps)
        tell(
            f"autoscaler at {target_rps:.1f}/s a replica: {day.pod_hours:.0f} pod hours a day, "
            f"shed {day.shed_ratio:.3%}"
        )
        if day.shed_ratio <= wish.max_shed_ratio:
            break
    assert scaling is not None and day is not None  # noqa: S101, PT018  # there are ratios
    return scaling, day


def _one_size(
    best: Sustained,
    wish: Wish,
    replicas: int,
    pod_start_s: float,
    tell: Callable[[str], None],
) -> tuple[Scaling, DayOutcome]:
    """Adds replicas until those that are always there carry the day with its bursts."""
    # As many as its highest demand takes shed nothing, so this ends.
    enough = max(replicas, math.ceil(wish.highest_rps / best.rate_rps))
    while True:
        scaling = Scaling(replicas, replicas, best.rate_rps, pod_start_s)
        day = live(wish.demand, scaling, best.rate_rps)
        tell(
            f"{replicas} replicas all day: {day.pod_hours:.0f} pod hours, shed {day.shed_ratio:.3%}"
        )
        if day.shed_ratio <= wish.max_shed_ratio or replicas >= enough:
            return scaling, day
        replicas = min(enough, max(replicas + 1, math.ceil(replicas * _GROWTH)))
