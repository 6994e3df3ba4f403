"""The bench of ramps in small: `make bench-ramp` does the same a thousand times."""

from __future__ import annotations

import pytest

from gateway.deciding.ramp import Action
from loadtest.ramp.methods import CHOSEN, compare_methods
from loadtest.ramp.scenarios import SCENARIOS, judge, summary
from loadtest.ramp.simulate import Run, simulate
from loadtest.ramp.world import Arm


def runs_of(name: str, count: int, *, longest_s: int | None = None) -> list[Run]:
    world = SCENARIOS[name]
    return [
        simulate(world.control, world.candidate, longest_s=longest_s or world.longest_s, seed=seed)
        for seed in range(count)
    ]


def test_candidate_that_is_worse_by_the_margin_never_gets_all_units() -> None:
    runs = runs_of("worse by the margin", 8, longest_s=300)
    # Of a rule that errs in 5 of 100, two or more of these would come in 1 of 18.
    assert sum(run.has_all for run in runs) <= 1
    assert not any(run.is_called_better for run in runs)


def test_better_candidate_gets_all_units_step_by_step() -> None:
    for run in runs_of("better by 0.03", 6):
        assert run.end is Action.COMPLETE
        assert len(run.reached_s) == 5


@pytest.mark.parametrize(
    ("name", "within_s", "requests"),
    [("fails always", 10, 40), ("fails in 3 of 10", 40, 150), ("1 of 10 answers slow", 120, 600)],
)
def test_broken_candidate_is_rolled_back_before_many_have_met_it(
    name: str, within_s: int, requests: int
) -> None:
    for run in runs_of(name, 10):
        assert run.end is Action.ROLL_BACK
        assert run.seconds <= within_s
        assert run.candidate_requests <= requests


def test_outage_of_both_arms_moves_nothing() -> None:
    for run in runs_of("both fail in 3 of 10", 4, longest_s=150):
        assert (run.end, len(run.reached_s)) == (Action.HOLD, 1)
        assert "service_unwell" in run.reasons


def test_same_seed_is_the_same_run() -> None:
    one, other = (simulate(Arm(), Arm(), longest_s=60, seed=5) for _ in range(2))
    assert one == other


def test_chosen_method_holds_where_textbook_and_plug_in_do_not() -> None:
    figures = compare_methods(runs=100, labels=1000, seed=3)
    # Of 100 runs 5 may err; 12 or more would come by chance in 1 of 200.
    assert max(figures[CHOSEN].errs.values()) < 0.12
    assert max(figures["interval for one look"].errs.values()) > 0.2
    assert max(figures["normal mixture, own variances"].errs.values()) > 0.2


def test_targets_are_missed_by_a_rule_that_ramps_whatever_it_sees() -> None:
    found = {name: summary(runs_of("equal", 1, longest_s=20)) for name in SCENARIOS}
    found["worse by the margin"] |= {"had_all_units": 1.0}
    missed = {verdict.name for verdict in judge(found) if not verdict.is_met}
    assert "false ramp: worse by the margin, had all units" in missed
    assert "broken candidates that were rolled back" in missed
