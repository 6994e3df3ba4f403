"""Both tools against one server whose latencies are known; and what counts as agreement."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from loadtest.k6 import compare
from loadtest.k6.compare import Agreement, Measured, judge
from loadtest.traffic.order import Order
from loadtest.traffic.scenario import SCENARIOS, read_scenario
from tests.loadtest.traffic.test_cli import serving

if TYPE_CHECKING:
    from pathlib import Path

EQUAL = Agreement((Measured(700, 40.0, 100.0),) * 3, (Measured(700, 40.0, 100.0),) * 3)


def missed(agreement: Agreement) -> set[str]:
    return {each.name for each in judge(agreement) if not each.is_met}


def test_judge_of_equal_percentiles_is_met_and_of_others_names_which() -> None:
    assert missed(EQUAL) == set()
    assert missed(replace(EQUAL, k6=(Measured(700, 20.0, 100.0),) * 3)) == {
        "P50 by k6 / ours, off by"
    }
    assert missed(replace(EQUAL, k6=(Measured(700, 40.0, 140.0),) * 3)) == {
        "P99 by k6 / ours, off by"
    }


def test_k6_sends_every_request_of_our_schedule(tmp_path: Path) -> None:
    scenario = read_scenario(SCENARIOS, "like-k6").model_copy(update={"duration_s": 3.0})
    with serving() as url:
        order = Order(name="x", scenario=scenario, url=url, grpc_target=None, samples="")
        schedule = compare._schedule(order, tmp_path)
        by_k6 = compare._send_by_k6(order)
    due_s = schedule["due_s"]
    assert isinstance(due_s, list)
    assert by_k6.count == len(due_s)
    assert 0 < by_k6.p50_ms <= by_k6.p99_ms


def test_k6_without_a_server_reports_no_right_answer() -> None:
    scenario = read_scenario(SCENARIOS, "like-k6").model_copy(update={"duration_s": 1.0})
    order = Order(
        name="x", scenario=scenario, url="http://127.0.0.1:9", grpc_target=None, samples=""
    )
    with pytest.raises(compare.K6FailedError):
        compare._send_by_k6(order)
