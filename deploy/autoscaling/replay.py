"""One autoscaler along one recording: how many replicas there would have been, and when."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from deploy.autoscaling.hpa import SYNC_S
from deploy.autoscaling.keda import Activation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.autoscaling.hpa import Metric
    from deploy.autoscaling.rendered_scalers import Scaler

POD_START_S: Final = 60
"""How long a pod takes until it serves, in seconds, where node and image are there."""


@dataclass(frozen=True)
class Course:
    """How replicas went.

    Attributes:
        replicas: at each step of `SYNC_S` seconds, from the begin.
    """

    replicas: tuple[int, ...]

    def at(self, time_s: float) -> int:
        """Returns how many there were at a time, in seconds from the begin."""
        return self.replicas[min(int(time_s // SYNC_S), len(self.replicas) - 1)]

    @property
    def turns(self) -> int:
        """How often the direction changed: more than once up and once down is flapping."""
        pairs = pairwise(self.replicas)
        signs = [after > before for before, after in pairs if after != before]
        return sum(a != b for a, b in pairwise(signs))


def metrics_of(scaler: Scaler) -> Sequence[Metric]:
    """Returns the metrics that an autoscaler asks."""
    return (scaler.scaler if isinstance(scaler, Activation) else scaler).metrics


def replay(scaler: Scaler, values: Mapping[str, Sequence[float | None]], begin: int) -> Course:
    """Lets an autoscaler decide along recorded values.

    Args:
        scaler: as at its begin; it remembers, so that it is good for one replay.
        values: by query, at each step of `SYNC_S` seconds.
        begin: replicas at the begin, all of which serve.
    """
    metrics = metrics_of(scaler)
    steps = len(next(iter(values.values())))
    replicas, started = begin, [-POD_START_S] * begin
    course = []
    for step in range(steps):
        now_s = step * SYNC_S
        ready = sum(now_s - at_s >= POD_START_S for at_s in started)
        now = {metric.name: values[metric.query][step] for metric in metrics}
        replicas = scaler.decide(now_s, replicas, ready, now)
        # The youngest go first, as Kubernetes prefers.
        started = (started + [now_s] * replicas)[:replicas]
        course.append(replicas)
    return Course(tuple(course))
