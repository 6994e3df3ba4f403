# ruff: noqa: ANN401 - JSON
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gateway.api.admin_schemas import AuditAnswer, OutcomeAnswer, RuleAnswer, RulesAnswer
from gateway.api.proto.diptych.v1 import classify_pb2
from gateway.api.schemas import ModelsAnswer
from tests.gateway.admin import ALL_TO_OTHER, EXPERIMENT, Admin, run_admin
from tests.gateway.storage.databases import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.conftest import StartGateway
    from tests.gateway.fake_triton import FakeTriton
    from tests.gateway.storage.databases import Postgresql

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> AsyncIterator[Admin]:
    async with run_admin(start_gateway, triton, tmp_path) as running:
        yield running


async def test_put_is_in_force_at_once_and_every_answer_says_so(admin: Admin) -> None:
    assert (await admin.classify())["assignment"] == {
        "reason": "newest",
        "experiment": None,
        "arm": None,
        "gate": None,
        "is_sticky": False,
    }
    response = await admin.call("PUT", EXPERIMENT, ALL_TO_OTHER)
    assert response.status_code == 200, response.text
    RuleAnswer.model_validate(response.json())
    assert response.headers["etag"] == '"store-1"'
    by_field = await admin.classify(unit="user-1")
    assert by_field["variant"] == "other"
    assert by_field["assignment"] == {
        "reason": "assigned",
        "experiment": "heads",
        "arm": "other",
        "gate": None,
        "is_sticky": True,
    }
    assert (await admin.classify(variant="demo"))["assignment"]["reason"] == "requested"
    over_grpc = await admin.gateway.grpc.Classify(
        classify_pb2.ClassifyRequest(text="a"),
        metadata=(("x-api-key", admin.key), ("diptych-unit", "user-1")),
    )
    assert (over_grpc.variant, over_grpc.assignment.reason) == ("other", "assigned")
    assert over_grpc.assignment.is_sticky


async def test_eligibility_means_the_same_over_headers_fields_and_grpc(admin: Admin) -> None:
    rule = {"attribute": "country", "in": ["de"]}
    await admin.call("PUT", EXPERIMENT, {**ALL_TO_OTHER, "eligibility": [rule]})
    assert (await admin.classify())["variant"] == "demo"
    assert (await admin.classify(metadata={"country": "fr"}))["variant"] == "demo"
    assert (await admin.classify(metadata={"Country": "de"}))["variant"] == "other"
    response = await admin.call("POST", "/v1/classify", {"text": "a"}, diptych_meta_country="de")
    assert response.json()["variant"] == "other"
    request = classify_pb2.ClassifyRequest(text="a", metadata={"country": "de"})
    answer = await admin.gateway.grpc.Classify(request, metadata=(("x-api-key", admin.key),))
    assert answer.variant == "other"


async def test_models_shows_what_each_variant_serves(admin: Admin) -> None:
    arms = {"demo": {"weight": 3}, "other": {"weight": 1}}
    await admin.call("PUT", EXPERIMENT, {"control": "demo", "arms": arms})
    await admin.call("PUT", "/v1/admin/shadows/s", {"candidate": "other", "share": 0.1})
    answer = (await admin.call("GET", "/v1/models")).json()
    ModelsAnswer.model_validate(answer)
    demo, other = answer["models"]
    assert (demo["default_reason"], other["default_reason"]) == ("newest", None)
    assert demo["experiments"] == [
        {"name": "heads", "share": 0.75, "is_control": True, "gate": None}
    ]
    assert (other["experiments"][0]["share"], other["shadows"]) == (0.25, ["s"])


async def test_override_by_key_id(admin: Admin) -> None:
    overrides = {"keys": {"ops": "other"}}
    arms = {"demo": {"weight": 1}, "other": {"weight": 0}}
    await admin.call("PUT", EXPERIMENT, {"control": "demo", "arms": arms, "overrides": overrides})
    assert (await admin.classify())["assignment"]["reason"] == "key_override"
    response = await admin.call("POST", "/v1/classify", {"text": "a"}, x_api_key=admin.other_key)
    assert response.json()["variant"] == "demo"


async def test_arm_that_is_unloaded_loses_its_traffic_and_the_page_says_why(
    admin: Admin, triton: FakeTriton
) -> None:
    await admin.call("PUT", EXPERIMENT, ALL_TO_OTHER)
    for model in list(triton.repository):
        if model.startswith("other"):
            del triton.repository[model]
    # At once, before the catalog was read again: nobody is refused.
    assert (await admin.classify())["assignment"]["reason"] == "arm_gated"
    async with asyncio.timeout(5):
        while "other" in str(  # noqa: ASYNC110 - the server has no event
            (await admin.call("GET", "/v1/models")).json()["models"]
        ):
            await asyncio.sleep(0.02)
    assert (await admin.classify())["assignment"]["gate"] == "not_served"
    (experiment,) = (await admin.traffic())["experiments"]
    control, arm = experiment["arms"]
    assert (arm["gate"], arm["share"], control["gate"]) == ("not_served", 1.0, None)
    async with asyncio.timeout(5):
        while (  # noqa: ASYNC110
            'gated_arm_info{arm="other",experiment="heads",reason="not_served"} 1.0'
            not in (await admin.gateway.http.get("/metrics")).text
        ):
            await asyncio.sleep(0.02)


async def test_experiments_shows_traffic_and_latency_of_each_arm(admin: Admin) -> None:
    await admin.call("PUT", EXPERIMENT, ALL_TO_OTHER)
    for _ in range(3):
        await admin.classify()
    await admin.call("POST", "/v1/classify", {"text": "nan"})
    (experiment,) = (await admin.traffic())["experiments"]
    assert (experiment["state"], experiment["origin"]) == ("running", "store")
    arm = experiment["arms"][1]
    assert arm["outcomes"] == {"ok": 3, "backend_failure": 1}
    assert 0 < arm["latency_ms"]["p50"] <= arm["latency_ms"]["p99"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", EXPERIMENT, None, 404, "experiment_unknown"),
        ("DELETE", EXPERIMENT, None, 404, "experiment_unknown"),
        ("POST", EXPERIMENT + "/stop", None, 404, "experiment_unknown"),
        ("PUT", EXPERIMENT, [], 400, "json_not_object"),
        ("PUT", EXPERIMENT, {"control": "demo"}, 400, "definition_invalid"),
        ("PUT", EXPERIMENT, {**ALL_TO_OTHER, "name": "x"}, 400, "name_differs"),
        ("PUT", EXPERIMENT, {**ALL_TO_OTHER, "name": 3}, 400, "name_differs"),
        ("PUT", "/v1/admin/experiments/No", ALL_TO_OTHER, 400, "definition_invalid"),
        ("POST", "/v1/admin/variants/other/weight", {"weight": 1}, 409, "no_experiment"),
        ("POST", "/v1/admin/variants/other/weight", {"weight": -1}, 400, "definition_invalid"),
        ("POST", "/v1/admin/variants/non/promote", None, 404, "variant_unknown"),
        ("POST", "/v1/admin/variants/non/rollback", None, 404, "variant_unknown"),
        ("POST", "/v1/admin/variants/other/rollback", None, 409, "nothing_to_roll_back"),
        ("GET", "/v1/admin/audit?limit=0", None, 400, "number_out_of_range"),
        ("GET", "/v1/admin/audit?target=%00", None, 400, "name_invalid"),
    ],
)
async def test_bad_calls_are_problems(
    admin: Admin, method: str, path: str, body: Any, status: int, code: str
) -> None:
    response = await admin.call(method, path, body)
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_slots_that_collide_are_refused_and_nothing_is_stored(admin: Admin) -> None:
    await admin.call("PUT", EXPERIMENT, ALL_TO_OTHER)
    response = await admin.call("PUT", "/v1/admin/experiments/tails", ALL_TO_OTHER)
    assert (response.status_code, response.json()["code"]) == (409, "rules_collide")
    rules = (await admin.call("GET", "/v1/admin/experiments")).json()
    RulesAnswer.model_validate(rules)
    assert [each["definition"]["name"] for each in rules["rules"]] == ["heads"]
    assert len((await admin.call("GET", "/v1/admin/audit")).json()["entries"]) == 1


async def test_etags_keep_admins_from_undoing_each_other(admin: Admin) -> None:
    first = await admin.call("PUT", EXPERIMENT, ALL_TO_OTHER, if_none_match="*")
    etag = first.headers["etag"]
    again = await admin.call("PUT", EXPERIMENT, ALL_TO_OTHER, if_none_match="*")
    assert again.status_code == 412
    weight = {"weight": 3}
    path = "/v1/admin/variants/demo/weight"
    changed = await admin.call("POST", path, weight, if_match=etag)
    assert (changed.status_code, changed.headers["etag"]) == (200, '"store-2"')
    late = await admin.call("DELETE", EXPERIMENT, if_match=etag)
    assert (late.status_code, late.json()["code"]) == (412, "etag_mismatch")
    same = await admin.call("POST", path, weight)
    assert same.headers["etag"] == '"store-2"'


async def test_changes_are_audited_with_who_what_and_when(admin: Admin) -> None:
    await admin.call("PUT", EXPERIMENT, ALL_TO_OTHER, x_request_id="change-1")
    await admin.call("POST", "/v1/admin/variants/demo/weight", {"weight": 3})
    await admin.call("POST", "/v1/admin/variants/demo/weight", {"weight": 3})  # no change
    await admin.call("POST", EXPERIMENT + "/stop")
    await admin.call("DELETE", EXPERIMENT)
    answer = (await admin.call("GET", "/v1/admin/audit")).json()
    AuditAnswer.model_validate(answer)
    entries = answer["entries"]
    assert [each["action"] for each in entries] == [
        *["experiment.delete", "experiment.stop", "experiment.weight", "experiment.put"]
    ]
    made = entries[-1]
    assert (made["actor"], made["request_id"], made["before"]) == ("ops", "change-1", None)
    assert made["after"]["arms"]["other"] == {"weight": 1.0}
    assert entries[2]["before"]["arms"]["demo"] == {"weight": 0.0}
    page = await admin.call("GET", f"/v1/admin/audit?limit=1&before={entries[0]['id']}")
    assert [each["action"] for each in page.json()["entries"]] == ["experiment.stop"]


async def test_promote_then_rollback_restores_the_default(admin: Admin) -> None:
    await admin.call("PUT", EXPERIMENT, ALL_TO_OTHER)
    promoted = (await admin.call("POST", "/v1/admin/variants/other/promote")).json()
    OutcomeAnswer.model_validate(promoted)
    assert promoted == {"variant": "other", "default": "other", "stopped": ["heads"], "emptied": []}
    answer = await admin.classify()
    assert (answer["variant"], answer["assignment"]["reason"]) == ("other", "promoted")
    back = (await admin.call("POST", "/v1/admin/variants/other/rollback")).json()
    assert back["default"] == "demo"
    assert (await admin.classify())["variant"] == "demo"
    again = await admin.call("POST", "/v1/admin/variants/other/rollback")
    assert again.json()["code"] == "nothing_to_roll_back"


async def test_rollback_of_an_arm_gives_its_share_away(admin: Admin) -> None:
    arms = {"demo": {"weight": 1}, "other": {"weight": 9}}
    await admin.call("PUT", EXPERIMENT, {"control": "demo", "arms": arms})
    outcome = (await admin.call("POST", "/v1/admin/variants/other/rollback")).json()
    assert (outcome["emptied"], outcome["stopped"]) == (["heads"], [])
    assert {(await admin.classify(unit=f"u{n}"))["variant"] for n in range(20)} == {"demo"}


async def test_rollback_of_the_newest_variant_promotes_the_one_before_it(admin: Admin) -> None:
    outcome = (await admin.call("POST", "/v1/admin/variants/demo/rollback")).json()
    assert outcome["default"] == "other"
    assert (await admin.classify())["variant"] == "other"


async def test_without_scope_or_key_nothing_is_shown_or_changed(admin: Admin) -> None:
    for method, path in (
        ("GET", "/v1/admin/audit"),
        ("GET", EXPERIMENT),
        ("PUT", EXPERIMENT),
        ("POST", "/v1/admin/variants/demo/rollback"),
    ):
        forbidden = await admin.call(method, path, ALL_TO_OTHER, x_api_key=admin.other_key)
        assert forbidden.status_code == 403
        assert (await admin.gateway.http.request(method, path)).status_code == 401


async def test_shadow_rules_are_kept_beside_experiments(admin: Admin) -> None:
    body = {"candidate": "other", "share": 0.5}
    response = await admin.call("PUT", "/v1/admin/shadows/heads", body)
    assert response.status_code == 200, response.text
    assert (await admin.call("GET", EXPERIMENT)).status_code == 404


async def test_without_a_database_changes_say_what_to_set(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> None:
    async with run_admin(start_gateway, triton, tmp_path, database_url=None) as admin:
        response = await admin.call("PUT", EXPERIMENT, ALL_TO_OTHER)
        assert response.status_code == 501
        assert "DIPTYCH_GATEWAY_DATABASE_URL" in response.json()["detail"]


async def test_database_away_classifying_goes_on_and_changes_are_refused(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> None:
    url = "postgresql://nobody@127.0.0.1:9/none"
    async with run_admin(start_gateway, triton, tmp_path, database_url=url) as admin:
        assert (await admin.classify())["variant"] == "demo"
        response = await admin.call("PUT", EXPERIMENT, ALL_TO_OTHER)
        assert (response.status_code, response.json()["code"]) == (503, "storage_unavailable")
        assert (await admin.traffic())["sources"]["store"]["fault"] is not None


async def test_file_is_changed_through_the_store_and_back(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> None:
    path = tmp_path / "experiments.toml"
    text = '[[experiments]]\nname = "heads"\ncontrol = "demo"\n'
    path.write_text(text + "arms = { demo = { weight = 1 }, other = { weight = 0 } }\n")
    async with run_admin(start_gateway, triton, tmp_path, experiments_file=path) as admin:
        rule = (await admin.call("GET", EXPERIMENT)).json()
        assert rule["origin"] == "file"
        refused = await admin.call("DELETE", EXPERIMENT)
        assert refused.json()["code"] == "rule_of_the_file"
        changed = await admin.call("POST", EXPERIMENT + "/stop", if_match=rule["etag"])
        assert (changed.json()["origin"], changed.json()["has_file_twin"]) == ("store", True)
        assert (await admin.classify())["assignment"]["experiment"] is None
        assert (await admin.call("DELETE", EXPERIMENT)).status_code == 204
        assert (await admin.classify())["assignment"]["experiment"] == "heads"


async def test_replicas_with_one_database_decide_alike(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path, postgresql: Postgresql
) -> None:
    url = postgresql.new_database()
    await asyncio.to_thread(migrate, url)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with (
        run_admin(start_gateway, triton, tmp_path / "a", database_url=url) as one,
        run_admin(start_gateway, triton, tmp_path / "b", database_url=url) as two,
    ):
        arms = {"demo": {"weight": 1}, "other": {"weight": 1}}
        await one.call("PUT", EXPERIMENT, {"control": "demo", "arms": arms})
        async with asyncio.timeout(5):
            while not (await two.traffic())["experiments"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        units = [f"user-{number}" for number in range(20)]
        by_one = [(await one.classify(unit=unit))["variant"] for unit in units]
        assert [(await two.classify(unit=unit))["variant"] for unit in units] == by_one
        assert set(by_one) == {"demo", "other"}


async def test_refused_method_names_all_that_the_path_takes(admin: Admin) -> None:
    response = await admin.call("PATCH", EXPERIMENT, ALL_TO_OTHER)
    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET, PUT"
