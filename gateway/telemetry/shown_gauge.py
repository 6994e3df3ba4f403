"""A gauge of what is there now, with a series for each thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.telemetry.exposition import is_in_pod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import Gauge


class ShownGauge:
    """Shows what is there and takes out what is not there any more.

    In a pod a series cannot be taken out of the files that the workers share: there it goes to 0.

    Args:
        gauge: with labels.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._shown: set[tuple[str, ...]] = set()

    def show(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Sets all that is there, by label values."""
        for gone in self._shown.difference(values):
            if is_in_pod():
                self._gauge.labels(*gone).set(0)
            else:
                self._gauge.remove(*gone)
        for labels, value in values.items():
            self._gauge.labels(*labels).set(value)
        self._shown = set(values)
