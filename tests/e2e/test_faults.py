"""Triton dies, the gateway is asked to stop: what callers see meanwhile."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Sample
    from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

_CLIENTS = 8


def wait_until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def test_triton_killed_and_restarted_needs_no_gateway_restart(
    own_stack: Stack, sample: Sample
) -> None:
    gateway_pid = own_stack.gateway.pid
    with httpx.Client(base_url=own_stack.url, timeout=30) as http:

        def status() -> int:
            return http.post("/v1/classify", json={"text": sample.text}).status_code

        assert status() == 200
        assert own_stack.triton.pid is not None
        os.kill(own_stack.triton.pid, signal.SIGKILL)
        wait_until(lambda: status() != 200, timeout_s=10)

        refused = http.post("/v1/classify", json={"text": sample.text})
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["content-type"] == "application/problem+json"
        wait_until(lambda: http.get("/readyz").status_code == 503, timeout_s=10)
        assert http.get("/livez").status_code == 200

        own_stack.triton.start()
        own_stack.triton.wait_ready(timeout_s=60)
        wait_until(lambda: status() == 200, timeout_s=10)
        wait_until(lambda: http.get("/readyz").status_code == 200, timeout_s=10)
    assert own_stack.gateway.exit_code() is None
    assert own_stack.gateway.pid == gateway_pid


def test_sigterm_under_load_loses_no_accepted_request(own_stack: Stack, sample: Sample) -> None:
    is_over = threading.Event()
    files: dict[str, Any] = {"image": ("emoji.png", sample.image), "text": (None, sample.text)}

    def keep_asking() -> Counter[str]:
        outcomes: Counter[str] = Counter()
        with httpx.Client(base_url=own_stack.url, timeout=30) as http:
            while not is_over.is_set():
                try:
                    outcomes[str(http.post("/v1/classify", files=files).status_code)] += 1
                except httpx.ConnectError:
                    outcomes["not accepted"] += 1
                    return outcomes
        return outcomes

    with ThreadPoolExecutor(_CLIENTS) as pool:
        clients = [pool.submit(keep_asking) for _ in range(_CLIENTS)]
        time.sleep(2.0)
        assert own_stack.gateway.pid is not None
        os.kill(own_stack.gateway.pid, signal.SIGTERM)
        try:
            wait_until(lambda: own_stack.gateway.exit_code() is not None, timeout_s=40)
        finally:
            is_over.set()
        # Any other error, a connection reset while an answer was due, comes out of `result`.
        outcomes = sum((client.result() for client in clients), Counter[str]())

    assert own_stack.gateway.exit_code() == 0
    assert outcomes["not accepted"] == _CLIENTS
    assert outcomes["200"] > _CLIENTS
    assert set(outcomes) == {"200", "not accepted"}
