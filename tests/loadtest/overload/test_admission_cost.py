from __future__ import annotations

import io

import pytest
from rich.console import Console

from loadtest.bench.corpus import Example
from loadtest.bench.load import Server
from loadtest.bench.narrator import Narrator
from loadtest.overload.admission_cost import AdmissionCost, admission_cost, judge_cost
from loadtest.overload.run import Plan
from tests.loadtest.bench.answering_server import Reply as HttpReply
from tests.loadtest.bench.answering_server import answering

CORPUS = (Example(b"\xff\xd8 photo", "A text.", 4),)


def test_admission_cost_counts_what_the_gateway_with_admission_loses() -> None:
    asked = 0

    def answer(body: bytes) -> HttpReply:
        return 200, {"label": "right"}

    def refuse_every_fourth(body: bytes) -> HttpReply:
        nonlocal asked
        asked += 1
        return (429, {"code": "deadline_unreachable"}) if asked % 4 == 0 else answer(body)

    plan = Plan(trial_s=0.5)
    narrator = Narrator(Console(file=io.StringIO()))
    with answering(answer) as without_it, answering(refuse_every_fourth) as with_it:
        cost = admission_cost(
            Server.at(with_it, CORPUS, ("right",)),
            Server.at(without_it, CORPUS, ("right",)),
            plan,
            narrator,
        )
    # Each pair has one schedule, so the same requests; a late one on a busy machine is not in time.
    assert cost.ratio == pytest.approx(0.75, abs=0.1)
    assert len(cost.in_time_with) == len(cost.in_time_without) > 1


def test_judge_cost_is_missed_below_95_per_cent() -> None:
    assert judge_cost(AdmissionCost(10.0, (95,), (100,), 0.95)).is_met
    assert not judge_cost(AdmissionCost(10.0, (94,), (100,), 0.94)).is_met
