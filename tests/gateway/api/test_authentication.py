"""Who is let in over REST and gRPC."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from gateway.api.authentication import OPEN_PATHS
from gateway.api.grpc_service import PROBLEM_KEY
from gateway.api.proto.diptych.v1 import classify_pb2
from gateway.identity.api_key import new_key
from gateway.start_errors import ExposedWithoutKeysError
from tests.gateway.key_files import Keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.conftest import RunningGateway, StartGateway

pytestmark = pytest.mark.anyio

ITEM = {"text": "a"}


async def test_rest_key_is_taken_from_either_header(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    key = keys.add("shop")
    async with start_gateway(api_keys_file=keys.path) as gateway:
        for headers in ({"X-Api-Key": key}, {"Authorization": f"bearer {key}"}):
            response = await gateway.http.post("/v1/classify", json=ITEM, headers=headers)
            assert response.status_code == 200


@pytest.mark.parametrize(
    ("headers", "code", "challenge"),
    [
        ({}, "key_missing", 'Bearer realm="diptych"'),
        ({"Authorization": "Basic YTpi"}, "key_missing", 'Bearer realm="diptych"'),
        ({"X-Api-Key": "guess"}, "key_unknown", 'Bearer realm="diptych", error="invalid_token"'),
        ({"X-Api-Key": new_key("shop")}, "key_unknown", None),
    ],
)
async def test_rest_without_a_good_key_is_401(
    start_gateway: StartGateway,
    tmp_path: Path,
    headers: dict[str, str],
    code: str,
    challenge: str | None,
) -> None:
    keys = Keys(tmp_path)
    keys.add("shop")
    async with start_gateway(api_keys_file=keys.path) as gateway:
        for method, path in (("POST", "/v1/classify"), ("GET", "/v1/models"), ("GET", "/none")):
            response = await gateway.http.request(method, path, headers=headers)
            assert (response.status_code, response.json()["code"]) == (401, code)
            assert challenge is None or response.headers["www-authenticate"] == challenge
        metrics = (await gateway.http.get("/metrics")).text
    assert f'diptych_gateway_access_refusals_total{{code="{code}"}} 3.0' in metrics
    assert "diptych_gateway_api_keys 1.0" in metrics


async def test_rest_key_without_the_scope_is_403_and_names_it(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    key = keys.add("teacher", "feedback")
    async with start_gateway(api_keys_file=keys.path) as gateway:
        response = await gateway.http.post("/v1/classify", json=ITEM, headers={"X-Api-Key": key})
        models = await gateway.http.get("/v1/models", headers={"X-Api-Key": key})
    assert (response.status_code, response.json()["code"]) == (403, "scope_missing")
    assert "classify" in response.json()["detail"]
    assert 'scope="classify"' in response.headers["www-authenticate"]
    assert models.status_code == 200


async def test_rest_probes_metrics_and_pages_are_open(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    async with start_gateway(api_keys_file=Keys(tmp_path).path) as gateway:
        for path in sorted(OPEN_PATHS):
            response = await gateway.http.get(path, headers={"X-Api-Key": "guess"})
            assert response.status_code in {200, 404}, path


async def test_rest_without_keys_file_loopback_needs_no_key(
    shared_gateway: RunningGateway,
) -> None:
    headers = {"X-Api-Key": "whatever"}
    response = await shared_gateway.http.post("/v1/classify", json=ITEM, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize("server", ["http_host", "grpc_host"])
async def test_start_without_keys_binds_loopback_alone(
    start_gateway: StartGateway, server: str
) -> None:
    with pytest.raises(ExposedWithoutKeysError):
        async with start_gateway(**{server: "0.0.0.0"}):  # noqa: S104 - refused before it is bound
            raise AssertionError("it started")


def problem_of(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    problem: dict[str, Any] = json.loads(dict(error.trailing_metadata())[PROBLEM_KEY])
    return problem


async def stream(gateway: RunningGateway, metadata: Any) -> list[Any]:  # noqa: ANN401 - untyped
    async def messages() -> Any:  # noqa: ANN401 - of an untyped library
        yield classify_pb2.ClassifyStreamRequest(request=classify_pb2.ClassifyRequest(text="a"))

    return [each async for each in gateway.grpc.ClassifyStream(messages(), metadata=metadata)]


async def test_grpc_key_is_taken_from_metadata(start_gateway: StartGateway, tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    key = keys.add("shop")
    async with start_gateway(api_keys_file=keys.path) as gateway:
        for metadata in ((("x-api-key", key),), (("authorization", f"Bearer {key}"),)):
            await gateway.grpc.Classify(classify_pb2.ClassifyRequest(text="a"), metadata=metadata)
            (answer,) = await stream(gateway, metadata)
            assert answer.HasField("result")


async def test_grpc_without_a_good_key_or_scope_is_refused(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    keys = Keys(tmp_path)
    teacher = keys.add("teacher", "feedback")
    async with start_gateway(api_keys_file=keys.path) as gateway:
        for metadata, status, code in (
            ((), grpc.StatusCode.UNAUTHENTICATED, "key_missing"),
            ((("x-api-key", "guess"),), grpc.StatusCode.UNAUTHENTICATED, "key_unknown"),
            ((("x-api-key", teacher),), grpc.StatusCode.PERMISSION_DENIED, "scope_missing"),
        ):
            request = classify_pb2.ClassifyRequest(text="a")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await gateway.grpc.Classify(request, metadata=metadata)
            assert (caught.value.code(), problem_of(caught.value)["code"]) == (status, code)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stream(gateway, metadata)
            assert (caught.value.code(), problem_of(caught.value)["code"]) == (status, code)


async def test_log_line_names_the_key_and_never_holds_it(
    start_gateway: StartGateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = Keys(tmp_path)
    key = keys.add("shop")
    wrong = new_key("shop")
    with caplog.at_level("DEBUG"):
        async with start_gateway(api_keys_file=keys.path) as gateway:
            for each in (key, wrong):
                await gateway.http.post("/v1/classify", json=ITEM, headers={"X-Api-Key": each})
    lines = [vars(record)["event_fields"] for record in caplog.records if record.msg == "request"]
    assert [line["key_id"] for line in lines] == ["shop", None]
    ours = "".join(str(vars(r)) for r in caplog.records if r.name.startswith("gateway"))
    assert key[-43:] not in ours
    assert wrong[-43:] not in ours
