"""A gateway with a database, two variants and an admin, for the tests of live traffic."""

# ruff: noqa: ANN401 - JSON
from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gateway.api.schemas import ClassifyAnswer
from gateway.api.traffic_answers import TrafficAnswer
from tests.gateway.key_files import Keys
from tests.gateway.manifests import make_repository
from tests.gateway.storage.databases import sqlite_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests.gateway.conftest import RunningGateway, StartGateway
    from tests.gateway.fake_triton import FakeTriton

ALL_TO_OTHER = {"control": "demo", "arms": {"demo": {"weight": 0}, "other": {"weight": 1}}}
EXPERIMENT = "/v1/admin/experiments/heads"


@dataclass
class Admin:
    """A gateway with a database, and an admin of it."""

    gateway: RunningGateway
    key: str
    other_key: str

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.gateway.http.request(
            method, path, json=body, headers={"x-api-key": self.key, **named}
        )

    async def classify(self, **fields: Any) -> dict[str, Any]:
        response = await self.call("POST", "/v1/classify", {"text": "a", **fields})
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        ClassifyAnswer.model_validate(answer)
        return answer

    async def traffic(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.call("GET", "/v1/experiments")).json()
        TrafficAnswer.model_validate(answer)
        return answer


@asynccontextmanager
async def run_admin(
    start_gateway: StartGateway, triton: FakeTriton, folder: Path, **settings: object
) -> AsyncIterator[Admin]:
    triton.repository |= make_repository(
        variant="other", created_at=datetime(2025, 1, 1, tzinfo=UTC)
    )
    keys = Keys(folder)
    key, other_key = keys.add("ops", "admin", "classify", "feedback"), keys.add("shop")
    changes = {
        "api_keys_file": keys.path,
        "database_url": sqlite_url(folder),
        "experiments_refresh_s": 0.05,
        **settings,
    }
    async with start_gateway(**changes) as gateway:
        yield Admin(gateway, key, other_key)
