"""The file of scenarios: the project's own is whole, and a bad one says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.traffic.errors import ScenarioFileError, UnknownScenarioError
from loadtest.traffic.scenario import SCENARIOS, Protocol, read_scenario, read_scenarios

if TYPE_CHECKING:
    from pathlib import Path


def test_own_scenarios_have_every_shape_and_smoke_every_protocol() -> None:
    scenarios = read_scenarios(SCENARIOS)
    assert {"smoke", "steady", "ramp", "spike", "soak", "diurnal"} <= set(scenarios)
    assert set(scenarios["smoke"].protocols) == set(Protocol)
    assert {each.limits.p99_ms for each in scenarios.values()} == {500.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a", "table declaration"),
        ("[a]\nduration_s = 1", "a.about"),
        ('[a]\nabout=""\nduration_s=1\nprotocols={}\nmodalities={both=1}', "a."),
        (
            '[a]\nabout=""\nduration_s=1\nshape={kind="steady",rate_rps=0}\n'
            "protocols={json=1}\nmodalities={both=1}",
            "a.shape.steady.rate_rps",
        ),
        (
            '[a]\nabout=""\nduration_s=1\nshape={kind="steady",rate_rps=1}\n'
            "protocols={json=1}\nmodalities={both=1}\nlimit={}",
            "a.limit",
        ),
        ("# nothing yet\n", "holds no scenario"),
    ],
)
def test_bad_file_of_scenarios_names_the_file_and_the_field(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioFileError) as caught:
        read_scenarios(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_unknown_scenario_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownScenarioError, match="smoke"):
        read_scenario(SCENARIOS, "smok")
    with pytest.raises(ScenarioFileError, match="No such file"):
        read_scenario(tmp_path / "none.toml", "smoke")
