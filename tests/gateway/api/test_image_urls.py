"""`image_url` over REST and gRPC: off by default, and on with a site that a test can look into."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import pytest

from gateway import collaborators
from gateway.allowed_hosts import AllowedHosts
from gateway.api.grpc_service import PROBLEM_KEY
from gateway.api.proto.diptych.v1 import classify_pb2
from gateway.remote_images.fetcher import FetchLimits, ImageFetcher, make_pool
from tests.gateway.conftest import RunningGateway, StartGateway, eventually
from tests.gateway.remote_images.image_site import (
    HOST,
    IMAGE,
    ReroutedNetwork,
    answer,
    run_image_site,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.settings import Settings
    from gateway.telemetry.metrics import Metrics
    from tests.gateway.fake_triton import FakeTriton

pytestmark = pytest.mark.anyio

URL = f"https://{HOST}/image"


@asynccontextmanager
async def fetching_gateway(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch, **changes: object
) -> AsyncIterator[RunningGateway]:
    """A gateway that fetches; its network is the site's, and loopback is allowed."""
    async with run_image_site(image=answer(), silent=None) as site:

        def make(settings: Settings, metrics: Metrics) -> ImageFetcher:
            limits = FetchLimits(1000, settings.image_url_max_redirects, 8)
            pool = make_pool(ReroutedNetwork(site, lambda _: True, "127.0.0.1"), 8, site.trust)
            return ImageFetcher(AllowedHosts.of(settings.image_url_hosts), limits, pool, metrics)

        monkeypatch.setattr(collaborators, "make_image_fetcher", make)
        async with start_gateway(image_url_hosts=HOST, **changes) as gateway:
            yield gateway


async def test_image_url_is_off_unless_hosts_are_allowed(gateway: RunningGateway) -> None:
    response = await gateway.http.post("/v1/classify", json={"image_url": URL})

    assert response.status_code == 422
    assert response.json()["code"] == "image_url_off"


async def test_image_url_is_fetched_over_every_way_in(
    start_gateway: StartGateway, triton: FakeTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fetching_gateway(start_gateway, monkeypatch) as gateway:
        answers = [
            await gateway.http.post("/v1/classify", json={"image_url": URL, "text": "fox"}),
            await gateway.http.post("/v1/classify", files={"image_url": (None, URL)}),
            await gateway.http.post("/v1/classify:batch", json={"items": [{"image_url": URL}]}),
        ]
        over_grpc = await gateway.grpc.Classify(classify_pb2.ClassifyRequest(image_url=URL))
        metrics = (await gateway.http.get("/metrics")).text

    assert [each.status_code for each in answers] == [200, 200, 200]
    assert answers[0].json()["modalities"] == ["image", "text"]
    assert "result" in answers[2].json()["items"][0]
    assert over_grpc.modalities == [classify_pb2.MODALITY_IMAGE]
    assert all(IMAGE in b"".join(each.raw_input_contents) for each in triton.requests)
    assert 'diptych_gateway_image_fetches_total{outcome="ok"} 4.0' in metrics


async def test_image_url_that_is_not_allowed_fails_its_item_alone(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [{"image_url": "https://evil.com/a"}, {"image_url": URL}, {"text": "fox"}]
    async with fetching_gateway(start_gateway, monkeypatch) as gateway:
        response = await gateway.http.post("/v1/classify:batch", json={"items": items})
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.grpc.Classify(classify_pb2.ClassifyRequest(image_url="https://evil.com/"))

    first, second, third = response.json()["items"]
    assert first["problem"]["code"] == "image_url_host_not_allowed"
    assert first["problem"]["field"] == "image_url"
    assert "result" in second
    assert "result" in third
    problem = json.loads(dict(caught.value.trailing_metadata() or ())[PROBLEM_KEY])
    assert problem["code"] == "image_url_host_not_allowed"


async def test_image_and_image_url_together_are_refused(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fetching_gateway(start_gateway, monkeypatch) as gateway:
        response = await gateway.http.post("/v1/classify", json={"image_url": URL, "image": "YQ=="})

    assert response.status_code == 400
    assert response.json()["code"] == "image_twice"


async def test_image_url_that_is_slow_holds_no_place_from_others(
    start_gateway: StartGateway, triton: FakeTriton, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One place: what waits for the silent site would hold it to the end of its time.
    async with fetching_gateway(
        start_gateway, monkeypatch, max_concurrency=1, request_budget_ms=3000
    ) as gateway:
        slow = gateway.http.post("/v1/classify", json={"image_url": f"https://{HOST}/silent"})
        quick = gateway.http.post("/v1/classify", json={"text": "fox"})
        waiting = asyncio.create_task(slow)
        await asyncio.sleep(0.3)
        assert (await quick).status_code == 200
        assert (await waiting).json()["code"] == "image_url_timeout"
        metrics = (await gateway.http.get("/metrics")).text

    assert "diptych_gateway_in_flight_requests 0.0" in metrics
    await eventually(lambda: triton.running == 0)
