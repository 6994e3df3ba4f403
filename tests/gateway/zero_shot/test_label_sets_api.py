"""Label sets as callers see them, kept in memory and in a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.api.schemas import LabelSetAnswer, LabelSetsAnswer
from gateway.identity.principal import Scope
from tests.gateway.key_files import Keys
from tests.gateway.manifests import make_dual_repository

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.conftest import RunningGateway, StartGateway
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

PETS = {"labels": ["red cat", "blue dog"], "prompt_template": "a {label}"}


@pytest.fixture(params=["memory", "database"])
async def gateway(
    request: pytest.FixtureRequest,
    start_gateway: StartGateway,
    triton: FakeTriton,
    tmp_path: Path,
) -> AsyncIterator[RunningGateway]:
    triton.repository.update(make_dual_repository())
    settings: dict[str, object] = {"max_label_sets": 2}
    if request.param == "database":
        settings["database_url"] = f"sqlite:///{tmp_path / 'gateway.db'}"
    async with start_gateway(**settings) as running:
        yield running


async def test_put_registers_embeds_and_is_used_by_name(
    gateway: RunningGateway, triton: FakeTriton
) -> None:
    registered = await gateway.http.put("/v1/label-sets/pets", json=PETS)

    assert registered.status_code == 201
    answer = LabelSetAnswer.model_validate(registered.json())
    assert answer.embedded_for == ["towers"]
    assert len(triton.requests) == 2
    used = await gateway.http.post("/v1/classify", json={"text": "dog", "label_set": "pets"})
    assert used.json()["label"] == "blue dog"
    assert len(triton.requests) == 3


async def test_put_again_replaces_and_list_shows_all(gateway: RunningGateway) -> None:
    await gateway.http.put("/v1/label-sets/pets", json=PETS)
    again = await gateway.http.put("/v1/label-sets/pets", json={"labels": ["a", "b", "c"]})
    await gateway.http.put("/v1/label-sets/colours", json={"labels": ["red", "blue"]})

    assert again.status_code == 200
    every = LabelSetsAnswer.model_validate((await gateway.http.get("/v1/label-sets")).json())
    assert [(each.name, each.labels) for each in every.label_sets] == [
        ("colours", ["red", "blue"]),
        ("pets", ["a", "b", "c"]),
    ]
    one = (await gateway.http.get("/v1/label-sets/pets")).json()
    assert one["prompt_template"] == []


async def test_delete_forgets(gateway: RunningGateway) -> None:
    await gateway.http.put("/v1/label-sets/pets", json=PETS)
    assert (await gateway.http.delete("/v1/label-sets/pets")).status_code == 204

    for response in (
        await gateway.http.get("/v1/label-sets/pets"),
        await gateway.http.delete("/v1/label-sets/pets"),
        await gateway.http.post("/v1/classify", json={"text": "dog", "label_set": "pets"}),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "label_set_unknown")


async def test_put_of_one_too_many_is_refused(gateway: RunningGateway) -> None:
    for name in ("one", "two", "three"):
        response = await gateway.http.put(f"/v1/label-sets/{name}", json=PETS)
    problem = response.json()
    assert (response.status_code, problem["code"], problem["limit"]) == (409, "label_sets_full", 2)
    assert (await gateway.http.put("/v1/label-sets/one", json=PETS)).status_code == 200


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("Pets", PETS, "label_set_name_invalid"),
        ("pets", {"labels": ["one"]}, "labels_too_few"),
        ("pets", {**PETS, "prompt_template": "none"}, "prompt_template_invalid"),
        ("pets", {}, "field_invalid"),
        ("pets", {**PETS, "extra": 1}, "field_unknown"),
    ],
)
async def test_put_of_what_is_not_right_is_refused(
    gateway: RunningGateway, name: str, body: dict[str, object], code: str
) -> None:
    response = await gateway.http.put(f"/v1/label-sets/{name}", json=body)
    assert (response.status_code, response.json()["code"]) == (400, code)


async def test_label_sets_in_a_database_outlive_the_process(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> None:
    triton.repository.update(make_dual_repository())
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    async with start_gateway(database_url=url) as first:
        answer = await first.http.put("/v1/label-sets/pets", json=PETS)
        assert answer.json()["is_persistent"]
    async with start_gateway(database_url=url) as second:
        found = await second.http.get("/v1/label-sets/pets")
    assert found.json()["labels"] == PETS["labels"]


async def test_put_and_delete_need_the_admin_scope_where_there_are_keys(
    start_gateway: StartGateway, triton: FakeTriton, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    caller, admin = keys.add("caller", Scope.CLASSIFY), keys.add("admin", Scope.ADMIN)
    async with start_gateway(api_keys_file=keys.path) as gateway:
        for method, json in (("PUT", PETS), ("DELETE", None)):
            denied = await gateway.http.request(
                method, "/v1/label-sets/pets", json=json, headers={"X-Api-Key": caller}
            )
            assert (denied.status_code, denied.json()["code"]) == (403, "scope_missing")
        allowed = await gateway.http.put(
            "/v1/label-sets/pets", json=PETS, headers={"X-Api-Key": admin}
        )
    assert allowed.status_code == 201
