"""Plans of a small profile, and the values that they become."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from loadtest.capacity.day import Burst, Demand, Scaling, live
from loadtest.capacity.errors import ProfileFileError, UnreachableTargetError
from loadtest.capacity.helm_values import values_yaml
from loadtest.capacity.planning import Plan, Wish, make_plan
from loadtest.capacity.profile import Profile, StepProfile, read_profile, write_profile
from loadtest.capacity.search import sustained
from loadtest.cli import app
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

# Batches of 8 take twice as long as one request: three quarters of the time are saved.
STEP = StepProfile(name="step", max_batch=8, service_ms={1: 10.0, 8: 20.0}, variation=0.1)
PROFILE = Profile(variant="v@d", device="a test", branches=(STEP,), pod_start_s=30.0)

ONE_BY_ONE = PROFILE.model_copy(
    update={"branches": (StepProfile(name="step", max_batch=1, service_ms={1: 10.0}),)}
)


@cache
def plan() -> Plan:
    return make_plan(PROFILE, Wish(peak_rps=3000.0))


def test_plan_takes_the_batches_that_carry_most_and_enough_replicas() -> None:
    made = plan()
    assert made.is_within
    assert made.sustained.profile.branches[0].max_batch == 8
    # Full batches of 8 in 20 ms are 400 a second, which no queue reaches within 500 ms at P99.
    assert 300 < made.sustained.rate_rps < 400
    assert made.replicas * made.sustained.rate_rps >= 3000
    assert made.scaling.fewest < made.replicas <= made.scaling.most


def test_plan_for_twice_the_load_has_about_twice_the_replicas() -> None:
    few, many = (make_plan(ONE_BY_ONE, Wish(peak_rps=rate)).replicas for rate in (1000, 2000))
    assert 1.6 < many / few < 2.4


def test_target_below_what_a_lone_request_takes_is_refused_with_what_it_takes() -> None:
    with pytest.raises(UnreachableTargetError, match="13 ms"):
        sustained(PROFILE, p99_ms=12.0)


@pytest.mark.parametrize("pool", ["cpuPool", "gpuPool"])
def test_values_of_a_plan_are_allowed_by_the_chart(pool: str) -> None:
    schema = json.loads((ROOT / "deploy/helm/diptych/values.schema.json").read_bytes())
    defaults = yaml.safe_load((ROOT / "deploy/helm/diptych/values.yaml").read_bytes())
    values = yaml.safe_load(values_yaml(plan(), pool, "keda"))  # type: ignore[arg-type]
    for part, changes in values.items():
        _merge(defaults[part], changes)
    jsonschema.validate(defaults, schema)
    assert values[pool]["autoscaling"]["targets"]["demandRps"] == pytest.approx(
        plan().scaling.target_rps, abs=0.1
    )


def _merge(into: dict[str, object], changes: dict[str, object]) -> None:
    for key, value in changes.items():
        old = into.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            _merge(old, value)
        else:
            into[key] = value


def test_day_with_slower_pods_sheds_more_of_a_burst() -> None:
    demand = Demand(100.0, 1000.0, (Burst(9 * 3600.0, 300.0, 2.0),))
    quick = live(demand, Scaling(2, 100, 80.0, pod_start_s=15.0), 100.0)
    slow = live(demand, Scaling(2, 100, 80.0, pod_start_s=240.0), 100.0)
    assert 0 < quick.shed_ratio < slow.shed_ratio < 0.02


def test_day_without_bursts_is_followed_without_loss() -> None:
    day = live(Demand(100.0, 1000.0), Scaling(2, 100, 80.0, pod_start_s=60.0), 100.0)
    assert day.shed_ratio == 0.0
    # Followed, and not kept at its height: 13 replicas for 24 hours would be 312.
    assert day.pod_hours < 0.75 * 312


def test_profile_is_read_as_written_and_a_bad_one_names_the_field(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    write_profile(path, PROFILE)
    assert read_profile(path) == PROFILE
    path.write_text(path.read_text().replace('"max_batch": 8', '"max_batch": 0'))
    with pytest.raises(ProfileFileError, match=r"branches\.0\.max_batch.*loadtest profile"):
        read_profile(path)
    with pytest.raises(ProfileFileError, match="No such file"):
        read_profile(tmp_path / "none.json")


def test_batch_times_between_and_beyond_measured_sizes_lie_on_lines() -> None:
    assert [STEP.batch_ms(size) for size in (1, 8)] == [10.0, 20.0]
    assert STEP.batch_ms(4) == pytest.approx(10 + 10 * 3 / 7)
    assert STEP.batch_ms(15) == pytest.approx(30.0)


def test_plan_command_for_a_pool_of_one_size_writes_values_that_carry_its_bursts(
    tmp_path: Path,
) -> None:
    path = tmp_path / "profile.json"
    write_profile(path, ONE_BY_ONE)
    output = tmp_path / "values.yaml"
    result = plan_command(
        f"--profile={path}", f"--output={output}", "--autoscaler=none", "--burst=3"
    )
    assert result.exit_code == 0, result.output
    values = yaml.safe_load(output.read_text(encoding="utf-8"))
    assert values["cpuPool"]["autoscaling"] == values["gateway"]["autoscaling"] == {"kind": "none"}
    replicas = values["cpuPool"]["replicas"]
    assert f"No autoscaler: {replicas} Tritons all day" in result.stdout
    (a_replica,) = re.findall(r"A replica: ([0-9.]+)/s", result.stdout)
    # A burst at nine is of the demand of that time, nine tenths of noon's.
    assert replicas * float(a_replica) > 2 * 1000


def test_plan_command_says_what_a_time_looks_like(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    write_profile(path, ONE_BY_ONE)
    bad = plan_command(f"--profile={path}", "--p99=fast", f"--output={tmp_path / 'values.yaml'}")
    assert bad.exit_code == 2
    assert "500ms or 0.5s" in " ".join(bad.stderr.split())


def plan_command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["plan", "--rps=1000", *arguments], env={"COLUMNS": "200"})
