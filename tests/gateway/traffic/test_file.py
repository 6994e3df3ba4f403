from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import TrafficPlanError
from gateway.routing.definitions import ExperimentDefinition, to_json
from gateway.traffic.file import MAX_FILE_BYTES, parse_file, read_bytes
from tests.readme_examples import example

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL = """
[[experiments]]
name = "heads"
control = "demo"
arms = { demo = { weight = 9 }, other = { weight = 1 } }
"""


def test_parse_file_fills_in_defaults() -> None:
    (experiment,) = parse_file(MINIMAL.encode()).experiments
    assert (experiment.layer, experiment.slots, experiment.unit) == ("default", (0, 1000), "unit")
    assert experiment.is_running


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[experiments]", "not TOML"),
        ("\xff", "not TOML"),
        (MINIMAL.replace("control", "contol"), "experiments.0.control: Field required"),
        (MINIMAL.replace('"demo"', '"none"'), "control none is not one of the arms"),
        (MINIMAL.replace("9", "-1"), "arms.demo.weight"),
        (MINIMAL.replace("9", "0").replace("weight = 1", "weight = 0"), "no arm has a weight"),
        (MINIMAL.replace("9", "nan"), "finite"),
        (MINIMAL + "slots = [10, 10]", "the end must be above the first"),
        (MINIMAL + "slots = [0, 1001]", "less than or equal to 1000"),
        (MINIMAL + "start_at = 2026-01-01T00:00:00", "timezone"),
        (MINIMAL + "start_at = 0", "not a date and time"),
        (MINIMAL + 'start_at = "1e9"', "input is too short"),
        (MINIMAL + 'stop_at = "86400"', "not a date and time"),
        (
            MINIMAL + "start_at = 2026-01-01T00:00:00Z\nstop_at = 2026-01-01T00:00:00Z",
            "stop_at is not after start_at",
        ),
        (MINIMAL + 'eligibility = [{ attribute = "x" }]', "needs one of equals, in, prefix"),
        (
            MINIMAL + 'eligibility = [{ attribute = "x", equals = "a", min = 1 }]',
            "needs one of equals, in, prefix",
        ),
        (MINIMAL + 'eligibility = [{ attribute = "x", min = 2, max = 1 }]', "min is above max"),
        (MINIMAL + 'overrides = { units = { qa = "none" } }', "names none, which is not an arm"),
        (MINIMAL + MINIMAL, "two experiments of the name heads"),
        (MINIMAL + MINIMAL.replace("heads", "tails"), "share slots"),
    ],
)
def test_parse_file_refuses_with_the_place_and_the_rule(text: str, said: str) -> None:
    with pytest.raises(TrafficPlanError, match=said):
        parse_file(text.encode("latin-1"))


def test_read_bytes_refuses_what_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(TrafficPlanError, match="No such file"):
        read_bytes(tmp_path / "none.toml")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    with pytest.raises(TrafficPlanError, match="larger than"):
        read_bytes(large)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "layer": st.just("other"),
            "slots": st.just([3, 7]),
            "unit": st.sampled_from(["key", "meta.tenant"]),
            "without_unit": st.just("exclude"),
            "eligibility": st.just([{"attribute": "a", "in": ["b"]}, {"attribute": "c", "min": 1}]),
            "overrides": st.just({"units": {"qa": "demo"}}),
            "is_running": st.just(False),
            "start_at": st.datetimes().map(lambda at: at.isoformat() + "Z"),
            "salt": st.text(min_size=1, max_size=20),
        },
    )
)
def test_to_json_is_read_back_as_it_was(fields: dict[str, object]) -> None:
    definition = ExperimentDefinition.model_validate(
        {"name": "n", "control": "demo", "arms": {"demo": {"weight": 1}}, **fields}
    )
    assert ExperimentDefinition.model_validate(to_json(definition)) == definition


def test_readme_example_is_a_whole_file() -> None:
    file = parse_file(example("toml", "experiments").encode())
    assert [each.name for each in file.experiments] == ["heads-in-germany", "encoders"]
    assert file.shadows
