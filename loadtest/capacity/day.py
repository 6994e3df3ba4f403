"""A day of an autoscaled pool, in steps of 15 s: demand, pods that start, what is shed.

The autoscaler is that of `deploy.autoscaling`: Kubernetes' own algorithm with the chart's
behaviour, which the chart's rules are replayed with too. Within a step the pool is a fluid: it
carries what its ready pods sustain, and sheds the rest. Request by request would be a billion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.autoscaling.hpa import SYNC_S, Direction, HorizontalScaler, Limits, Metric, Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

SCRAPE_S: Final = 15
_RATE_WINDOW_S: Final = 60  # over which the rules take their rates
_METRIC: Final = "demandRps"
DAY_S: Final = 86_400


@dataclass(frozen=True)
class Burst:
    """More demand for a while.

    Attributes:
        at_s: when it begins.
        length_s: how long it is.
        factor: times the demand of that time.
    """

    at_s: float
    length_s: float
    factor: float


@dataclass(frozen=True)
class Demand:
    """Requests a second over a day.

    Attributes:
        night_rps: at midnight.
        noon_rps: at noon.
        bursts: on top.
    """

    night_rps: float
    noon_rps: float
    bursts: tuple[Burst, ...] = ()

    def at(self, time_s: float) -> float:
        """Returns the demand at a time."""
        noon = (1 - math.cos(2 * math.pi * time_s / DAY_S)) / 2
        rate_rps = self.night_rps + (self.noon_rps - self.night_rps) * noon
        for each in self.bursts:
            if each.at_s <= time_s < each.at_s + each.length_s:
                rate_rps *= each.factor
        return rate_rps


@dataclass(frozen=True)
class Scaling:
    """How the pool is scaled.

    Attributes:
        fewest: replicas.
        most: replicas.
        target_rps: demand a replica that the autoscaler aims at.
        pod_start_s: from the decision to the first answer.
        scrape_s: how old a figure may be when it is read.
    """

    fewest: int
    most: int
    target_rps: float
    pod_start_s: float
    scrape_s: float = SCRAPE_S


@dataclass(frozen=True)
class DayOutcome:
    """What the day gave.

    Attributes:
        shed_ratio: of all requests, those that were refused.
        pod_hours: that were paid for.
        most_replicas: at any time.
    """

    shed_ratio: float
    pod_hours: float
    most_replicas: int


def live(demand: Demand, scaling: Scaling, sustained_rps: float) -> DayOutcome:
    """Lives through a day, from midnight to midnight.

    Args:
        demand: of the day.
        scaling: of the pool.
        sustained_rps: what one ready replica carries.
    """
    scaler = HorizontalScaler(
        Limits(
            scaling.fewest,
            scaling.most,
            # The chart's behaviour: see its values, `autoscaling.scaleUp` and `scaleDown`.
            up=Direction(0, (Policy("Pods", 2, 60), Policy("Percent", 100, 60))),
            down=Direction(300, (Policy("Pods", 1, 120),)),
        ),
        (Metric(_METRIC, "", "AverageValue", scaling.target_rps),),
    )
    ready_at_s: list[float] = [-math.inf] * _first(demand, scaling)
    shed = asked = pod_s = 0.0
    most = len(ready_at_s)
    for second in range(0, DAY_S, SYNC_S):
        seen_rps = _seen(demand, second - scaling.scrape_s)
        ready = _ready(ready_at_s, second)
        wanted = scaler.decide(second, len(ready_at_s), ready, {_METRIC: seen_rps})
        if wanted < len(ready_at_s):
            ready_at_s = sorted(ready_at_s)[:wanted]  # the youngest go
        ready_at_s += [second + scaling.pod_start_s] * (wanted - len(ready_at_s))
        most = max(most, len(ready_at_s))
        pod_s += len(ready_at_s) * SYNC_S
        # Pods that become ready within a step carry nothing in it: on the safe side.
        rate_rps = demand.at(second)
        asked += rate_rps * SYNC_S
        shed += max(0.0, rate_rps - _ready(ready_at_s, second) * sustained_rps) * SYNC_S
    return DayOutcome(shed / asked, pod_s / 3600, most)


def _first(demand: Demand, scaling: Scaling) -> int:
    wanted = math.ceil(demand.at(0.0) / scaling.target_rps)
    return min(scaling.most, max(scaling.fewest, wanted))


def _seen(demand: Demand, now_s: float) -> float:
    """The mean over the window of the rules, as Prometheus has it."""
    times = [max(0.0, now_s - age_s) for age_s in range(0, _RATE_WINDOW_S, SCRAPE_S)]
    return sum(map(demand.at, times)) / len(times)


def _ready(ready_at_s: Sequence[float], now_s: float) -> int:
    return sum(at_s <= now_s for at_s in ready_at_s)
