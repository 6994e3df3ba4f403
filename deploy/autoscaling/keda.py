"""What KEDA adds to an HPA: the way from no replica to the first, and back.

Source: KEDA 2.16, "Scaling Deployments" (activation, `cooldownPeriod`, `pollingInterval`) and
`pkg/scaling/executor/scale_scaledobjects.go`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.autoscaling.hpa import HorizontalScaler


@dataclass
class Activation:
    """A ScaledObject that may have no replica.

    Attributes:
        scaler: the HPA that KEDA keeps, which counts from one up.
        thresholds: of each metric; above it the object is active.
        cooldown_s: time without activity until the last replica goes, in seconds.
    """

    scaler: HorizontalScaler
    thresholds: Mapping[str, float]
    cooldown_s: float
    _active_at_s: float | None = None

    def decide(
        self, now_s: float, replicas: int, ready: int, values: Mapping[str, float | None]
    ) -> int:
        """See `HorizontalScaler.decide`."""
        if self._active_at_s is None:
            self._active_at_s = now_s
        if any((values[name] or 0.0) > level for name, level in self.thresholds.items()):
            self._active_at_s = now_s
            if replicas == 0:
                return 1
        elif replicas == 0 or now_s - self._active_at_s > self.cooldown_s:
            # An error is no activity, and no reason to end the last one either.
            return 0 if None not in values.values() else replicas
        return self.scaler.decide(now_s, replicas, ready, values) if replicas else 0
