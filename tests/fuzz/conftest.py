"""How hard the fuzzers try, and a gateway process for them to try on.

`ci` is what `make test` runs; `make fuzz` runs `large` (`--hypothesis-profile=large`).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import HealthCheck, settings

from deploy.local.triton_server import free_ports
from gateway.identity.api_key import digest_of, new_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A mutant of a valid file is often large or thrown away, and the fixtures are shared on purpose.
# Reproducible in CI; `large` looks at other inputs each time, and prints the seed of a failure.
_CHECKS = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large)
settings.register_profile(
    "ci", max_examples=60, deadline=None, derandomize=True, suppress_health_check=_CHECKS
)
settings.register_profile(
    "large", max_examples=5000, deadline=None, print_blob=True, suppress_health_check=_CHECKS
)
if settings.get_current_profile_name() != "large":  # the default, or that of another folder
    settings.load_profile("ci")
PROFILE = settings()
"""What is loaded now: when a test runs, another folder may have loaded its own."""


@dataclass(frozen=True)
class ServedGateway:
    """A gateway in a process of its own, in front of a stand-in for Triton."""

    url: str
    port: int
    api_key: str
    process: subprocess.Popen[bytes]
    log: Path

    def is_alive(self) -> bool:
        return self.process.poll() is None and httpx.get(f"{self.url}/livez").status_code == 200

    def in_flight(self) -> float:
        """How many classifications the gateway says it has let in and not answered."""
        text = httpx.get(f"{self.url}/metrics").text
        (value,) = re.findall(r"^diptych_gateway_in_flight_requests (\S+)$", text, re.MULTILINE)
        return float(value)

    def internal_errors(self) -> list[str]:
        """Lines of the log that say that the gateway itself failed."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if '"level": "ERROR"' in line or "Traceback" in line]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedGateway]:
    triton_port, http_port, grpc_port = free_ports(3)
    log = tmp_path_factory.mktemp("fuzz") / "gateway.log"
    api_key, keys = new_key("fuzz"), log.with_name("keys.toml")
    keys.write_text(
        f'[[key]]\nid = "fuzz"\nsha256 = ["{digest_of(api_key)}"]\n'
        'scopes = ["classify", "feedback", "admin"]\n',
        encoding="utf-8",
    )
    environment = {
        **os.environ,
        "DIPTYCH_GATEWAY_API_KEYS_FILE": str(keys),
        "DIPTYCH_GATEWAY_DATABASE_URL": f"sqlite:///{log.with_name('fuzz.sqlite3')}",
        "DIPTYCH_GATEWAY_TRITON_GRPC_URL": f"127.0.0.1:{triton_port}",
        "DIPTYCH_GATEWAY_HTTP_PORT": str(http_port),
        "DIPTYCH_GATEWAY_GRPC_PORT": str(grpc_port),
        "DIPTYCH_GATEWAY_CATALOG_REFRESH_S": "0.2",
        "DIPTYCH_GATEWAY_REQUEST_BUDGET_MS": "5000",
        "DIPTYCH_GATEWAY_MAX_IMAGE_BYTES": "100000",
    }
    url = f"http://127.0.0.1:{http_port}"
    triton = subprocess.Popen([sys.executable, "-m", "tests.gateway.fake_triton", str(triton_port)])
    with log.open("wb") as sink:
        gateway = subprocess.Popen(
            [sys.executable, "-m", "gateway"], env=environment, stdout=sink, stderr=sink
        )
        try:
            _wait_until_ready(url)
            yield ServedGateway(url, http_port, api_key, gateway, log)
        finally:
            for process in (gateway, triton):
                process.terminate()
            for process in (gateway, triton):
                process.wait(timeout=30)


def _wait_until_ready(url: str, timeout_s: float = 60) -> None:
    give_up_s = time.monotonic() + timeout_s
    while True:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > give_up_s:
            pytest.fail(f"the gateway was not ready within {timeout_s} s")
        time.sleep(0.1)
