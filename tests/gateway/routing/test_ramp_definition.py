from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.routing.definitions import ExperimentDefinition, to_json
from gateway.routing.ramp_definition import RampDefinition
from gateway.traffic.file import parse_file
from tests.gateway.routing.traffic import experiment
from tests.readme_examples import example


def test_example_of_the_readme_says_the_defaults_and_one_step_of_its_own() -> None:
    (found,) = parse_file(example("toml", "ramp").encode()).experiments
    assert found.ramp is not None
    assert found.candidate == "openmoji-gated"
    own = [step.min_dwell_s for step in found.ramp.steps]
    assert own == [None, None, 7200, None, None]
    assert found.ramp.model_copy(update={"steps": RampDefinition().steps}) == RampDefinition()


def test_policy_fills_what_a_step_leaves_out() -> None:
    ramp = RampDefinition.model_validate({"steps": [5, {"percent": 100, "min_requests": 7}]})
    policy = ramp.policy("old", "new")
    assert [(step.share, step.min_requests) for step in policy.steps] == [(0.05, 100), (1.0, 7)]


@pytest.mark.parametrize(
    ("ramp", "said"),
    [
        ({"steps": [50, 10]}, "steps must rise"),
        ({"steps": [0, 100]}, "greater than 0"),
        ({"steps": [True]}, "steps"),
        ({"margin": 0}, "margin"),
        ({"guardrails": {"max_p99": 500}}, "max_p99"),
    ],
)
def test_ramp_that_makes_no_sense_is_refused(ramp: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RampDefinition.model_validate(ramp)


def test_ramp_needs_one_arm_beside_the_control() -> None:
    arms = {name: {"weight": 1} for name in ("demo", "other", "third")}
    with pytest.raises(ValidationError, match="two arms"):
        experiment(arms=arms, ramp={})


def test_ramp_is_the_same_after_a_way_through_json() -> None:
    written = experiment(ramp={"steps": [5, 100], "margin": 0.1})
    assert ExperimentDefinition.model_validate(to_json(written)) == written
