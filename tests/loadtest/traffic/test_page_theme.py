"""The pictures of a report follow the page's theme, and draw what a run gave."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import pytest

from loadtest.traffic.plots import spread_svg, timeline_svg
from loadtest.traffic.replies import Outcome, Reply
from loadtest.traffic.scenario import Limits, Scenario
from tests.loadtest.traffic.test_figures import scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EVERY = [
    Reply(0.09 * number, 0.0, 0.02 + 0.001 * number, "json", "both", outcome, "")
    for number, outcome in enumerate([*Outcome] * 20)
]


@pytest.mark.parametrize("draw", [timeline_svg, spread_svg])
@pytest.mark.parametrize("replies", [EVERY, EVERY[:1], []], ids=["every", "one", "none"])
def test_picture_is_drawn_in_variables_of_the_page_and_on_no_ground(
    draw: Callable[[Scenario, Sequence[Reply]], str], replies: Sequence[Reply]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = draw(scenario(Limits()), replies)

    assert svg.startswith("<svg")
    assert "var(--ink)" in svg
    colours = set(re.findall(r"#[0-9a-f]{6}", svg))
    assert not colours, f"they would not change with the theme: {colours}"


def test_timeline_names_each_outcome_with_its_number_and_both_limits() -> None:
    svg = timeline_svg(scenario(Limits(p99_ms=300.0, promise_ms=500.0)), EVERY)

    for outcome in Outcome:
        assert f"{outcome.value} (20)" in svg
    assert "the promise, 500 ms" in svg
    assert "limit of P99, 300 ms" in svg
