"""The demo on its own Triton and gateway, in folders of the loop's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import tritonclient.grpc
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from deploy.local import receipt_keys
from deploy.local.gateway_server import GatewayServer
from deploy.local.published import select
from deploy.local.triton_server import BundledTriton, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOST: Final = "127.0.0.1"


@dataclass(frozen=True)
class Service:
    """What runs.

    Attributes:
        folder: of the loop.
        url: of the gateway.
        key: an API key for everything.
        triton_url: `host:port` of its gRPC API.
    """

    folder: Path
    url: str
    key: str
    triton_url: str

    @property
    def repository(self) -> Path:
        """The model repository."""
        return self.folder / "models"

    @property
    def capture(self) -> Path:
        """Where answers are captured."""
        return self.folder / "capture"

    @property
    def database_url(self) -> str:
        """Where feedback and ramps are."""
        return _database_url(self.folder)

    def client(self) -> httpx.Client:
        """Returns a client with the key."""
        return httpx.Client(base_url=self.url, headers={"x-api-key": self.key}, timeout=60)

    def load(self, variant: str) -> None:
        """Makes Triton serve one more variant of the repository."""
        with tritonclient.grpc.InferenceServerClient(self.triton_url) as triton:
            for model in select(self.repository, [variant]).models:
                triton.load_model(model)


@contextmanager
def serving(folder: Path, variant: str) -> Iterator[Service]:
    """Starts both for the length of the block; the repository holds the variant already."""
    triton_http, triton_grpc, triton_metrics, http, grpc = free_ports(5)
    triton = BundledTriton(
        repository=folder / "models",
        models=select(folder / "models", [variant]).models,
        http_port=triton_http,
        grpc_port=triton_grpc,
        metrics_port=triton_metrics,
        log_path=folder / "triton.log",
    )
    keys = folder / "keys.toml"
    gateway = GatewayServer(
        host=_HOST,
        http_port=http,
        grpc_port=grpc,
        triton_grpc_url=triton.grpc_url,
        probe_host=_HOST,
        log_path=folder / "gateway.log",
        variables={
            "DIPTYCH_GATEWAY_API_KEYS_FILE": str(keys),
            "DIPTYCH_GATEWAY_RECEIPT_KEYS_FILE": str(receipt_keys.ensure(folder / "receipts.toml")),
            "DIPTYCH_GATEWAY_DATABASE_URL": _database_url(folder),
            "DIPTYCH_GATEWAY_REQUEST_BUDGET_MS": "10000",
            "DIPTYCH_GATEWAY_CATALOG_REFRESH_S": "0.5",
            "DIPTYCH_GATEWAY_EXPERIMENTS_REFRESH_S": "0.5",
            "DIPTYCH_GATEWAY_DRIFT_WINDOW_S": "5",
            "DIPTYCH_GATEWAY_CAPTURE_FOLDER": str(folder / "capture"),
            "DIPTYCH_GATEWAY_CAPTURE_RATIO": "1",
            "DIPTYCH_GATEWAY_CAPTURE_FLUSH_S": "1",
        },
    )
    key = _new_key(keys)
    with triton, gateway:
        yield Service(folder, f"http://{_HOST}:{http}", key, triton.grpc_url)


def copy_published(source: Path, variant: str, target: Path) -> None:
    """Copies a published variant with the models that it is made of."""
    names = set(select(source, [variant]).models)
    for name in list(names):
        config = model_config_pb2.ModelConfig()
        text_format.Parse((source / name / "config.pbtxt").read_text(encoding="utf-8"), config)
        names |= {step.model_name for step in config.ensemble_scheduling.step}
    for name in sorted(names):
        shutil.copytree(source / name, target / name)


def ask(client: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Asks the gateway; an error of it ends the story."""
    answer = client.request(method, path, json=body)
    answer.raise_for_status()
    return answer.json()


def _database_url(folder: Path) -> str:
    return f"sqlite:///{(folder / 'loop.sqlite3').resolve()}"


def _new_key(keys: Path) -> str:
    scopes = ("classify", "feedback", "admin")
    options = [option for scope in scopes for option in ("--scope", scope)]
    command = ("gateway.keys", "new", "--id", "loop", *options, "--file", str(keys))
    made = subprocess.run(
        (sys.executable, "-m", *command), capture_output=True, text=True, check=True
    )
    return made.stdout.split()[-1]
