"""Each target is missed by its own figure alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.bench.targets import Verdict, judge
from tests.loadtest.bench.measurements import figures

if TYPE_CHECKING:
    from loadtest.bench.figures import Figures


def missed(of: Figures) -> list[str]:
    return [verdict.name for verdict in judge(of) if not verdict.is_met]


def test_judge_good_service_meets_all_targets() -> None:
    assert missed(figures()) == []


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (figures(gateway_rps=56.5), ["throughput at 16 clients / baseline"]),
        (
            figures(gateway_rps=55.0),
            ["throughput at 16 clients / in-process", "throughput at 16 clients / baseline"],
        ),
        (figures(latency_ms=500.0), ["P99 at 16 clients"]),
        (figures(lone_p50_ms=22.5), ["P50 of one client above the longer branch"]),
        (figures(pss_mib=800.0), ["memory of all processes (PSS)"]),
        (figures(start_s=5.1), ["warm start to first answer"]),
        (figures(failures=1), ["wrong or refused answers"]),
    ],
)
def test_judge_one_bad_figure_misses_its_target(service: Figures, expected: list[str]) -> None:
    assert missed(service) == expected


def test_verdict_figure_that_could_not_be_measured_is_missed() -> None:
    nothing = float("nan")

    assert not Verdict("any", nothing, 0.85, is_lower_bound=True, unit="").is_met
    assert not Verdict("any", nothing, 500.0, is_lower_bound=False, unit="ms").is_met


@pytest.mark.parametrize(
    ("figure", "limit", "shown"),
    [
        (0.951, 0.999, "0.95"),
        (0.9986, 0.999, "0.9986"),
        (0.9996, 1.0, "0.9996"),
        (1.0, 1.0, "1.00"),
    ],
)
def test_figure_is_shown_with_digits_enough_to_tell_it_from_its_limit(
    figure: float, limit: float, shown: str
) -> None:
    assert Verdict("right", figure, limit, is_lower_bound=True, unit="").shown == shown
