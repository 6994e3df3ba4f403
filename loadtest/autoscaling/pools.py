"""Two Tritons as a GPU pool, one as the CPU pool behind it, and a gateway, with a Prometheus.

The model is the stand-in of the fault bench: what is recorded is how servers, queues, admission and
their metrics move, not what a GPU can do. Series get the labels that the Prometheus operator gives.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deploy.local.gateway_server import GatewayServer
from deploy.local.triton_server import BundledTriton, free_ports
from deploy.tools import program
from loadtest.bench.load import Server
from loadtest.faults import paced_variant
from loadtest.faults.corpus import make_requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRAPE_S: Final = 15
"""The chart's default."""

NAMESPACE: Final = "serving"
RELEASE: Final = "demo-diptych"
_HOST: Final = "127.0.0.1"
_PACE_MS: Final = {"gpu": 20.0, "cpu": 40.0}
_READY_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True)
class Pools:
    """All of it, running.

    Attributes:
        gpu: the Tritons of the GPU pool.
        server: the gateway, for load.
        prometheus_url: where series can be asked for.
    """

    gpu: tuple[BundledTriton, ...]
    server: Server
    prometheus_url: str

    def samples(self, metric: str, minutes: int) -> list[dict[str, Any]]:
        """Returns the raw samples of a metric's series over the last minutes."""
        query = urllib.parse.urlencode({"query": f"{metric}[{minutes}m]"})
        url = f"{self.prometheus_url}/api/v1/query?{query}"
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  # our own
            answer = json.load(response)
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


@contextmanager
def running(folder: Path, log_folder: Path) -> Iterator[Pools]:
    """Starts all, yields when all is ready, and stops all."""
    with ExitStack() as stack:
        gpu = tuple(_triton("gpu", number, folder, log_folder) for number in range(2))
        cpu = _triton("cpu", 0, folder, log_folder)
        for each in (*gpu, cpu):
            stack.callback(each.stop)
            each.start()
        for each in (*gpu, cpu):
            each.wait_ready(_READY_TIMEOUT_S)
        http, grpc, prometheus = free_ports(3)
        keys = folder / "keys.toml"
        keys.write_text('anonymous_scopes = ["classify"]\n', encoding="ascii")
        gateway = GatewayServer(
            host=_HOST,
            probe_host=_HOST,
            http_port=http,
            grpc_port=grpc,
            triton_grpc_url=cpu.grpc_url,
            variables={
                "DIPTYCH_GATEWAY_TRITON_GPU_ENDPOINTS": ",".join(each.grpc_url for each in gpu),
                "DIPTYCH_GATEWAY_TRITON_CPU_ENDPOINTS": cpu.grpc_url,
                "DIPTYCH_GATEWAY_HAS_COALESCING": "false",
                "DIPTYCH_GATEWAY_API_KEYS_FILE": str(keys),
            },
            log_path=log_folder / "gateway.log",
        )
        stack.enter_context(gateway)
        targets = [
            (_HOST, http, "gateway", "gateway-0"),
            *((_HOST, each.metrics_port, "triton-gpu", f"gpu-{n}") for n, each in enumerate(gpu)),
            (_HOST, cpu.metrics_port, "triton-cpu", "cpu-0"),
        ]
        stack.enter_context(_prometheus(folder, prometheus, targets, log_folder))
        server = Server(
            (_HOST, http), make_requests((_HOST, http)), frozenset(paced_variant.LABELS)
        )
        yield Pools(gpu, server, f"http://{_HOST}:{prometheus}")


def _triton(pool: str, number: int, folder: Path, log_folder: Path) -> BundledTriton:
    repository = folder / f"models-{pool}-{number}"
    models = paced_variant.publish(repository, expected_device="gpu")
    paced_variant.set_pace(repository, _PACE_MS[pool])
    http, grpc, metrics = free_ports(3)
    return BundledTriton(
        repository=repository,
        models=models,
        http_port=http,
        grpc_port=grpc,
        metrics_port=metrics,
        log_path=log_folder / f"triton-{pool}-{number}.log",
        runtime_folder=folder / "triton-runtime",
        stop_grace_s=6.0,
    )


@contextmanager
def _prometheus(
    folder: Path, port: int, targets: list[tuple[str, int, str, str]], log_folder: Path
) -> Iterator[None]:
    jobs = [
        {
            "targets": [f"{host}:{target_port}"],
            "labels": {"namespace": NAMESPACE, "service": f"{RELEASE}-{service}", "pod": pod},
        }
        for host, target_port, service, pod in targets
    ]
    # JSON is YAML.
    config = {
        "global": {"scrape_interval": f"{SCRAPE_S}s"},
        "scrape_configs": [
            {"job_name": "diptych", "honor_labels": True, "static_configs": jobs},
        ],
    }
    path = folder / "prometheus.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [
        str(program("prometheus")),
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address={_HOST}:{port}",
    ]
    with (log_folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            time.sleep(2.0)
            yield
        finally:
            process.terminate()
            process.wait(20.0)
