"""Windows condensed: medians of ratios within rounds, percentiles of all latencies together."""

from __future__ import annotations

import math

import pytest

from loadtest.bench.figures import LoadFigures, LoneClientFigures, Measured
from loadtest.bench.window import Window
from loadtest.bench.worker import Branches
from tests.loadtest.bench.measurements import figures, round_of, sample


def test_load_figures_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    # The machine halves its speed in the second round: within a round the ratio stays.
    rounds = [
        round_of(gateway=sample(80.0), peer=sample(100.0)),
        round_of(gateway=sample(40.0), peer=sample(50.0)),
        round_of(gateway=sample(90.0), peer=sample(90.0)),
    ]

    load = LoadFigures.of(16, rounds, "gateway")

    assert load.ratios == {"peer": pytest.approx(0.8)}
    assert load.contestants["gateway"].throughput_rps == 80.0


def test_load_figures_peer_without_throughput_has_no_ratio() -> None:
    load = LoadFigures.of(
        1, [round_of(gateway=sample(80.0), timed=sample(branches=Branches(1.0, 2.0)))], "gateway"
    )

    assert load.ratios == {}


def test_measured_cpu_is_per_request_of_all_windows_and_the_largest_first() -> None:
    windows = [
        Window("gateway", 0, sample(50.0, cpu_s={"encoder": 1.0, "gateway": 0.1, "idle": 0.0})),
        Window("gateway", 2, sample(50.0, cpu_s={"encoder": 2.0, "gateway": 0.3})),
    ]

    measured = Measured.of(windows)  # 2 windows of 2 s at 50/s: 200 requests

    assert list(measured.cpu_ms_per_request) == ["encoder", "gateway"]
    assert measured.cpu_ms_per_request == pytest.approx({"encoder": 15.0, "gateway": 2.0})
    assert measured.repeats == 2


def test_measured_latencies_and_failures_are_of_all_rounds() -> None:
    windows = [
        Window("gateway", 0, sample(1.0, latencies_ms=[10.0, 20.0], failures=1)),
        Window("gateway", 0, sample(1.0, latencies_ms=[30.0, 40.0], failures=2)),
    ]

    measured = Measured.of(windows)

    assert (measured.latency.count, measured.latency.p50_ms) == (4, 20.0)
    assert measured.failures == {"status 503: busy": 3}


def test_lone_client_figures_compare_within_rounds_with_the_longer_branch() -> None:
    rounds = [
        round_of(gateway=sample(latencies_ms=[p50]), timed=sample(branches=Branches(image, text)))
        for p50, image, text in ((20.0, 14.0, 9.0), (40.0, 28.0, 30.0), (25.0, 14.0, 9.0))
    ]

    lone = LoneClientFigures.of(rounds, "gateway", "timed")

    assert lone.p50_above_longer_ms == pytest.approx(10.0)  # of 6, 10 and 11
    assert (lone.image_branch_ms, lone.text_branch_ms) == (14.0, 9.0)


def test_lone_client_figures_without_answers_are_not_a_number() -> None:
    rounds = [round_of(gateway=sample(), timed=sample(branches=Branches(14.0, 9.0)))]

    assert math.isnan(LoneClientFigures.of(rounds, "gateway", "timed").p50_above_longer_ms)


def test_figures_failures_are_those_of_all_contestants() -> None:
    assert figures(failures=3).failures.total() == 3
