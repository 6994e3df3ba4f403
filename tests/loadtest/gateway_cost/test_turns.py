from __future__ import annotations

from loadtest.gateway_cost.turns import LatencyFigures


def test_latency_figures_added_is_the_median_within_turns() -> None:
    # A slow spell hits both of a turn: the difference of the two medians would be 9.
    turns = [(10.0, 12.0), (10.0, 12.0), (1.0, 3.0), (1.0, 21.0), (1.0, 3.0)]
    figures = LatencyFigures.of(turns)
    assert figures.added_p50_ms == 2.0
    assert figures.direct.p50_ms == 1.0
    assert figures.through.p50_ms == 12.0
