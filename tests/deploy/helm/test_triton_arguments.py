"""The arguments that the chart gives tritonserver, given to the real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from deploy.local.gateway_server import GatewayServer
from deploy.local.service import Launch
from deploy.local.triton_server import BundledTriton, free_ports
from tests.deploy.helm.rendered import chart, pod_spec
from tests.deploy.local.toy_repository import publish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e

HOST = "127.0.0.1"
UID = "5f0c1c7e-6f0c-4a6c-9d7e-0a1b2c3d4e5f"
HEADER = "triton-grpc-protocol-closed"


@dataclass(kw_only=True)
class ChartTriton(BundledTriton):
    """The bundled Triton with the chart's arguments beside those that this machine needs."""

    chart_arguments: tuple[str, ...] = field(default=())

    def launch(self) -> Launch:
        launch = super().launch()
        own = {each.partition("=")[0] for each in self.chart_arguments}
        kept = [
            each
            for each in launch.command
            if each.partition("=")[0] not in own and not each.startswith("--load-model")
        ]
        arguments = [
            each.replace("$(CLOSED)", UID)
            for each in self.chart_arguments
            if not each.startswith("--model-repository")
        ]
        kept.append(f"--model-repository={self.repository}")
        return Launch((*kept, *arguments), launch.environment)


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChartTriton]:
    folder = tmp_path_factory.mktemp("triton")
    publish(folder / "models")
    http, grpc_port, metrics = free_ports(3)
    (container,) = pod_spec(chart(), "-triton-cpu")["containers"]
    with ChartTriton(
        repository=folder / "models",
        models=(),
        http_port=http,
        grpc_port=grpc_port,
        metrics_port=metrics,
        log_path=folder / "triton.log",
        chart_arguments=tuple(container["args"]),
    ) as running:
        yield running


def post(triton: ChartTriton, path: str) -> int:
    return httpx.post(f"http://{triton.http_url}{path}", json={}, timeout=10).status_code


def test_probes_are_answered_over_http(triton: ChartTriton) -> None:
    (container,) = pod_spec(chart(), "-triton-cpu")["containers"]

    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        path = container[probe]["httpGet"]["path"]
        assert httpx.get(f"http://{triton.http_url}{path}", timeout=10).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v2/repository/index",
        "/v2/repository/models/toy/load",
        "/v2/systemsharedmemory/region/a/register",
        "/v2/logging",
    ],
)
def test_what_is_closed_is_forbidden_over_http(triton: ChartTriton, path: str) -> None:
    assert post(triton, path) == 403


def test_models_cannot_be_loaded_or_unloaded_over_grpc(triton: ChartTriton) -> None:
    with grpc.insecure_channel(triton.grpc_url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        index = stub.RepositoryIndex(service_pb2.RepositoryIndexRequest(ready=True), timeout=10)
        name = index.models[0].name
        with pytest.raises(grpc.RpcError, match=r"polling is enabled|explicit model load"):
            stub.RepositoryModelUnload(
                service_pb2.RepositoryModelUnloadRequest(model_name=name), timeout=10
            )
        with pytest.raises(grpc.RpcError) as refusal:
            stub.LogSettings(service_pb2.LogSettingsRequest(), timeout=10)
    assert HEADER in str(refusal.value)


def test_gateway_serves_from_it(triton: ChartTriton, tmp_path: Path) -> None:
    http, grpc_port = free_ports(2)
    with GatewayServer(
        host=HOST,
        probe_host=HOST,
        http_port=http,
        grpc_port=grpc_port,
        triton_grpc_url=triton.grpc_url,
        log_path=tmp_path / "gateway.log",
    ):
        answer = httpx.post(
            f"http://{HOST}:{http}/v1/classify",
            json={"text": "four"},
            timeout=20,
        )

    assert answer.json()["label"] == "even"
