from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.telemetry.arm_figures import read_counter, read_histogram


def test_read_counter_has_every_child() -> None:
    counter = Counter("answers", "help", ("arm", "outcome"), registry=CollectorRegistry())
    counter.labels("a", "ok").inc(3)
    counter.labels("b", "ok").inc()
    assert read_counter(counter) == {("a", "ok"): 3.0, ("b", "ok"): 1.0}


def test_read_histogram_interpolates_as_prometheus_does() -> None:
    histogram = Histogram("s", "help", ("arm",), buckets=(1, 2, 4), registry=CollectorRegistry())
    for value in (0.5, 1.5, 1.5, 3.0):
        histogram.labels("a").observe(value)
    times = read_histogram(histogram)["a",]
    assert times.count == 4
    assert times.mean == pytest.approx(6.5 / 4)
    assert times.quantile(0.5) == pytest.approx(1.5)
    assert times.quantile(1.0) == pytest.approx(4.0)


def test_quantile_above_the_last_bound_is_that_bound() -> None:
    histogram = Histogram("s", "help", ("arm",), buckets=(1,), registry=CollectorRegistry())
    histogram.labels("a").observe(5.0)
    assert read_histogram(histogram)["a",].quantile(0.99) == 1.0
