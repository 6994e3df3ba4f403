"""Gives feedback to a gateway process over a fresh SQLite file, as fast as it is acknowledged."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final

from deploy.local.triton_server import free_ports
from loadtest.bench.targets import Verdict
from loadtest.feedback_cost.signing import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from loadtest.feedback_cost.signing import Signer, SigningCost

MAX_SIGN_US: Final = 100.0
MIN_SINGLE_RPS: Final = 200.0
MIN_BATCHED_RPS: Final = 1000.0
MAX_P99_MS: Final = 500.0
_HOST: Final = "127.0.0.1"
_CLIENTS: Final = 16
_BATCH: Final = 100
_START_S: Final = 30.0


@dataclass(frozen=True)
class Window:
    """What was acknowledged in one stretch of time.

    Attributes:
        batch: labels of one request.
        labels_rps: labels a second.
        p50_ms: of requests, from sending to acknowledgement.
        p99_ms: the same.
    """

    batch: int
    labels_rps: float
    p50_ms: float
    p99_ms: float


def measure(signer: Signer, port: int, seconds: float) -> list[Window]:
    """Measures single labels and batches, one after the other.

    Args:
        signer: makes the prediction ids.
        port: of the gateway.
        seconds: each.
    """
    return [_measure(signer, port, seconds, batch) for batch in (1, _BATCH)]


def judge(cost: SigningCost, windows: Sequence[Window]) -> tuple[Verdict, ...]:
    """Holds the figures against the targets."""
    single, batched = windows
    return (
        Verdict("CPU of signing a receipt", cost.sign_us, MAX_SIGN_US, False, "µs"),
        Verdict("single labels a second", single.labels_rps, MIN_SINGLE_RPS, True, ""),
        Verdict("P99 of a single label", single.p99_ms, MAX_P99_MS, False, "ms"),
        Verdict("batched labels a second", batched.labels_rps, MIN_BATCHED_RPS, True, ""),
    )


@contextmanager
def running_gateway(folder: Path, keys_file: Path) -> Iterator[int]:
    """Runs a gateway without a Triton; yields its HTTP port."""
    port, grpc_port = free_ports(2)
    settings = {
        "HTTP_PORT": port,
        "GRPC_PORT": grpc_port,
        "TRITON_GRPC_URL": f"{_HOST}:9",
        "DATABASE_URL": f"sqlite:///{(folder / 'feedback.sqlite3').absolute()}",
        "RECEIPT_KEYS_FILE": keys_file,
        "LOG_LEVEL": "ERROR",
    }
    environment = {f"DIPTYCH_GATEWAY_{name}": str(value) for name, value in settings.items()}
    with subprocess.Popen(
        [sys.executable, "-m", "gateway"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            _wait(port)
            yield port
        finally:
            process.terminate()


def _wait(port: int) -> None:
    give_up_s = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection((_HOST, port), timeout=1).close()
        except OSError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.05)
        else:
            return


def _measure(signer: Signer, port: int, seconds: float, batch: int) -> Window:
    took_ms: list[float] = []
    until_s = time.monotonic() + seconds

    def give() -> None:
        connection = HTTPConnection(_HOST, port, timeout=30)
        while time.monotonic() < until_s:
            body = _body(signer, batch)
            path = "/v1/feedback" if batch == 1 else "/v1/feedback:batch"
            sent_s = time.perf_counter()
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            # Of a batch each item has its own answer.
            if response.status != 200 or answer.count(b'"recorded"') != batch:
                raise AssertionError(answer[:200])
            took_ms.append(1000 * (time.perf_counter() - sent_s))
        connection.close()

    clients = [threading.Thread(target=give) for _ in range(_CLIENTS if batch == 1 else 2)]
    begun_s = time.monotonic()
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    spent_s = time.monotonic() - begun_s
    quantiles = statistics.quantiles(took_ms, n=100)
    return Window(batch, len(took_ms) * batch / spent_s, quantiles[49], quantiles[98])


def _body(signer: Signer, batch: int) -> str:
    items = [{"prediction_id": signer.sign(), "label": LABEL} for _ in range(batch)]
    return json.dumps(items[0] if batch == 1 else {"items": items})
