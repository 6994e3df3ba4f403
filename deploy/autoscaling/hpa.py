"""The algorithm of the HorizontalPodAutoscaler, as its controller has it.

Source: Kubernetes 1.35, `pkg/controller/podautoscaler/horizontal.go` and `replica_calculator.go`;
the same in words: "Horizontal Pod Autoscaling: algorithm details" in Kubernetes' documentation.
Left out is what external metrics do not touch: pods without metrics, and CPU at start.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOLERANCE: Final = 0.1
"""`--horizontal-pod-autoscaler-tolerance`: a ratio this near to 1 changes nothing."""

SYNC_S: Final = 15
"""`--horizontal-pod-autoscaler-sync-period`: seconds between two decisions."""


@dataclass(frozen=True)
class Policy:
    """Most that may change in a period.

    Attributes:
        kind: whether `value` counts pods or per cent of what was there when the period began.
        value: how much.
        period_s: length of the period, in seconds.
    """

    kind: Literal["Pods", "Percent"]
    value: int
    period_s: int


@dataclass(frozen=True)
class Direction:
    """How replicas may change one way; of several policies the one that allows most counts."""

    window_s: int
    policies: tuple[Policy, ...]


@dataclass(frozen=True)
class Metric:
    """One metric that is scaled on.

    Attributes:
        name: for people.
        query: PromQL of its value.
        kind: `AverageValue` is a total that replicas share; `Value` is compared as it is.
        target: of one replica, or of the value.
    """

    name: str
    query: str
    kind: Literal["AverageValue", "Value"]
    target: float

    def wanted(self, value: float, replicas: int, ready: int) -> int:
        """Returns how many replicas this metric asks for.

        Args:
            value: of the query.
            replicas: that there are, those that start included.
            ready: of them, those that serve.
        """
        shared = self.kind == "AverageValue"
        ratio = value / (self.target * replicas) if shared else value / self.target
        if abs(ratio - 1) <= TOLERANCE:
            return replicas
        return math.ceil(value / self.target) if shared else math.ceil(ratio * ready)


@dataclass(frozen=True)
class Limits:
    """What an autoscaler says beside its metrics."""

    fewest: int
    most: int
    up: Direction
    down: Direction


@dataclass
class HorizontalScaler:
    """One autoscaler with what it remembers.

    Attributes:
        limits: fewest, most, and behaviour.
        metrics: of which the one that asks for most counts.
    """

    limits: Limits
    metrics: Sequence[Metric]
    _advice: deque[tuple[float, int]] = field(default_factory=deque)
    _changes: deque[tuple[float, int]] = field(default_factory=deque)

    def decide(
        self, now_s: float, replicas: int, ready: int, values: Mapping[str, float | None]
    ) -> int:
        """Returns the number of replicas from now on.

        Args:
            now_s: the time, in seconds.
            replicas: that there are.
            ready: of them, those that serve.
            values: of the metrics, by name; None where there is none. As in the controller nothing
                is taken away while one is missing, and nothing is done when all are.
        """
        known = {
            metric: value for metric in self.metrics if (value := values[metric.name]) is not None
        }
        if not known:
            return replicas
        wanted = max(metric.wanted(value, replicas, ready) for metric, value in known.items())
        if len(known) < len(self.metrics) and wanted < replicas:
            return replicas
        decided = self._paced(now_s, replicas, self._stabilised(now_s, replicas, wanted))
        if decided != replicas:
            self._changes.append((now_s, decided - replicas))
        return decided

    def _stabilised(self, now_s: float, replicas: int, wanted: int) -> int:
        """The least that was advised over the window for more, the most over that for less."""
        if not self._advice:  # as at the controller's start: what is there was advised
            self._advice.append((now_s, replicas))
        self._advice.append((now_s, wanted))
        longest_s = max(self.limits.up.window_s, self.limits.down.window_s)
        while self._advice[0][0] < now_s - longest_s:
            self._advice.popleft()

        def advised(window_s: int) -> list[int]:
            return [count for at_s, count in self._advice if at_s > now_s - window_s] or [wanted]

        more, less = min(advised(self.limits.up.window_s)), max(advised(self.limits.down.window_s))
        return min(max(replicas, more), less)

    def _paced(self, now_s: float, replicas: int, wanted: int) -> int:
        if wanted > replicas:
            rise = max(self._rise(now_s, replicas, each) for each in self.limits.up.policies)
            return min(wanted, max(rise, replicas), self.limits.most)
        if wanted < replicas:
            fall = min(self._fall(now_s, replicas, each) for each in self.limits.down.policies)
            return max(wanted, min(fall, replicas), self.limits.fewest)
        return replicas

    def _rise(self, now_s: float, replicas: int, policy: Policy) -> int:
        start = replicas - self._changed(now_s, policy.period_s)
        if policy.kind == "Pods":
            return start + policy.value
        return math.ceil(start * (1 + policy.value / 100))

    def _fall(self, now_s: float, replicas: int, policy: Policy) -> int:
        start = replicas - self._changed(now_s, policy.period_s)
        if policy.kind == "Pods":
            return start - policy.value
        return int(start * (1 - policy.value / 100))

    def _changed(self, now_s: float, period_s: int) -> int:
        """By how many replicas the last period has changed."""
        return sum(change for at_s, change in self._changes if at_s > now_s - period_s)
