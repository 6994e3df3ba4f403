from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gateway.api.results_schemas import RampCommandAnswer, ResultsAnswer
from tests.gateway.admin import EXPERIMENT, Admin, run_admin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.conftest import StartGateway
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

HALVES = {"control": "demo", "arms": {"demo": {"weight": 1}, "other": {"weight": 1}}}
FILE = """
[[experiments]]
name = "heads"
control = "demo"
arms = { demo = { weight = 1 }, other = { weight = 1 } }
ramp = { steps = [10, { percent = 100, min_dwell_s = 60 }], margin = 0.05 }
"""


@pytest.fixture
async def admin(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> AsyncIterator[Admin]:
    async with run_admin(start_gateway, triton, tmp_path) as running:
        yield running


async def results(admin: Admin, key: str | None = None) -> dict[str, Any]:
    response = await admin.gateway.http.get(
        "/v1/experiments/heads/results", headers={"x-api-key": key or admin.key}
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    ResultsAnswer.model_validate(answer)
    return answer


async def test_results_show_each_arm_and_say_what_is_not_known(admin: Admin) -> None:
    await admin.call("PUT", EXPERIMENT, HALVES)
    for n in range(20):
        await admin.classify(unit=f"u{n}")
    for _ in range(40):  # until the tallies were written and what was read before is old
        answer = await results(admin, admin.other_key)
        if sum(arm["answers"] for arm in answer["arms"]) == 20:
            break
        await asyncio.sleep(0.2)
    assert answer["counted_by"] == "all_replicas"
    assert sum(arm["units"] for arm in answer["arms"]) == 20
    assert sum(answer["allocation"]["units"].values()) == 20
    arm = answer["arms"][0]
    assert arm["latency_ms"]["p50"] <= arm["latency_ms"]["p99"]
    assert arm["accuracy"]["unavailable_because"] == "no_labels"
    assert answer["comparisons"][0]["unavailable_because"] == "no_labels"
    assert answer["ramp"]["unavailable_because"] == "no_ramp"


async def test_ramp_is_started_shown_paused_and_aborted(admin: Admin) -> None:
    await admin.call("PUT", EXPERIMENT, {**HALVES, "ramp": {"steps": [10, 100]}})
    started = await admin.call("POST", f"{EXPERIMENT}/ramp/start")
    assert started.status_code == 200, started.text
    RampCommandAnswer.model_validate(started.json())
    assert started.json() == {"experiment": "heads", "status": "running", "step": 0, "share": 0.1}
    for _ in range(40):  # until it was looked at
        answer = await results(admin)
        if isinstance(answer["guardrails"], list):
            break
        await asyncio.sleep(0.2)
    assert {each["name"] for each in answer["guardrails"]} == {
        "failures",
        "latency",
        "shed",
        "calibration",
        "accuracy",
    }
    assert "outcomes" in answer["ramp"]["waits_for"]
    assert (await admin.call("POST", f"{EXPERIMENT}/ramp/pause")).json()["status"] == "paused"
    aborted = await admin.call("POST", f"{EXPERIMENT}/ramp/abort")
    assert (aborted.json()["status"], aborted.json()["share"]) == ("aborted", 0.0)
    again = await admin.call("POST", f"{EXPERIMENT}/ramp/resume")
    assert again.status_code == 409
    assert "is aborted" in again.json()["detail"]
    shares = {arm["variant"]: arm["share"] for arm in (await results(admin))["arms"]}
    assert shares == {"demo": 1.0, "other": 0.0}
    metrics = (await admin.gateway.http.get("/metrics")).text
    assert 'diptych_ramp_looks_total{outcome="ok"}' in metrics


async def test_commands_need_the_scope_admin_and_results_a_known_name(admin: Admin) -> None:
    await admin.call("PUT", EXPERIMENT, HALVES)
    http = admin.gateway.http
    headers = {"x-api-key": admin.other_key}
    refused = await http.post(f"{EXPERIMENT}/ramp/start", headers=headers)
    assert refused.status_code == 403
    unknown = await http.get("/v1/experiments/haeds/results", headers=headers)
    assert unknown.status_code == 404
    assert "heads" in unknown.json()["detail"]


async def test_ramp_that_cannot_be_is_refused_with_the_place(admin: Admin) -> None:
    falling = await admin.call("PUT", EXPERIMENT, {**HALVES, "ramp": {"steps": [50, 10]}})
    assert falling.status_code == 400
    assert "steps must rise" in falling.json()["detail"]
    alone = {"control": "demo", "arms": {"demo": {"weight": 1}}, "ramp": {}}
    assert "two arms" in (await admin.call("PUT", EXPERIMENT, alone)).json()["detail"]


async def test_without_a_database_this_process_says_what_it_counted(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> None:
    file = tmp_path / "experiments.toml"
    file.write_text(FILE)
    async with run_admin(
        start_gateway, triton, tmp_path, database_url=None, experiments_file=file
    ) as running:
        for n in range(5):
            await running.classify(unit=f"u{n}")
        answer = await results(running)
        assert answer["counted_by"] == "this_process"
        assert sum(arm["answers"] for arm in answer["arms"]) == 5
        for part in ("ramp", "guardrails", "decisions"):
            assert answer[part]["unavailable_because"] == "storage_not_configured"
        assert answer["comparisons"][0]["unavailable_because"] == "storage_not_configured"
        assert (await running.call("POST", f"{EXPERIMENT}/ramp/start")).status_code == 501
