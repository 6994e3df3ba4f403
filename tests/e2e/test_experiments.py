"""Experiments in front of the real Triton, in a gateway with keys, a file and a database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from deploy.local.gateway_server import GatewayServer
from deploy.local.triton_server import free_ports
from tests.e2e.stack import HOST
from tests.gateway.key_files import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import Sample
    from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

ALL_TO_MISSING = """
[[experiments]]
name = "heads"
control = "openmoji"
arms = { openmoji = { weight = 0 }, not-exported = { weight = 1 } }
"""
ALL_TO_DEMO = ALL_TO_MISSING.replace("0 }", "1 }").replace("weight = 1 } }", "weight = 0 } }")


class Admin:
    """A second gateway in front of the same Triton, with keys, a file and a database."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        keys = Keys(folder)
        self.key = keys.add("ops", "admin", "classify")
        self.file = folder / "experiments.toml"
        self.write(ALL_TO_MISSING)
        http, grpc = free_ports(2)
        self.server = GatewayServer(
            host=HOST,
            http_port=http,
            grpc_port=grpc,
            triton_grpc_url=stack.triton.grpc_url,
            probe_host=HOST,
            database_url=f"sqlite:///{folder / 'd.sqlite3'}",
            log_path=folder / "gateway.log",
            variables={
                "DIPTYCH_GATEWAY_API_KEYS_FILE": str(keys.path),
                "DIPTYCH_GATEWAY_EXPERIMENTS_FILE": str(self.file),
                "DIPTYCH_GATEWAY_EXPERIMENTS_REFRESH_S": "0.2",
            },
        )
        self.http = httpx.Client(
            base_url=f"http://{HOST}:{http}", headers={"x-api-key": self.key}, timeout=30
        )

    def write(self, text: str) -> None:
        """Replaces the file, as an operator's tools do."""
        written = self.file.with_suffix(".new")
        written.write_text(text)
        written.replace(self.file)

    def classify(self, sample: Sample) -> dict[str, Any]:
        """Classifies the sample for one unit."""
        response = self.http.post("/v1/classify", json={"text": sample.text, "unit": "user-1"})
        assert response.status_code == 200, response.text
        assignment: dict[str, Any] = response.json()["assignment"]
        return assignment


@pytest.fixture
def admin(stack: Stack, tmp_path: Path) -> Iterator[Admin]:
    admin = Admin(stack, tmp_path)
    with admin.server, admin.http:
        yield admin


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until `holds` does."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_arm_that_triton_does_not_serve_is_answered_by_the_control(
    admin: Admin, sample: Sample
) -> None:
    assert admin.classify(sample) == {
        "reason": "arm_gated",
        "experiment": "heads",
        "arm": "not-exported",
        "gate": "not_served",
        "is_sticky": True,
    }


def test_file_is_followed_and_a_bad_one_refused_without_a_restart(
    admin: Admin, sample: Sample
) -> None:
    admin.write("not = [toml")
    eventually(
        lambda: admin.http.get("/v1/experiments").json()["sources"]["file"]["fault"] is not None
    )
    assert admin.classify(sample)["reason"] == "arm_gated"
    admin.write(ALL_TO_DEMO)
    eventually(lambda: admin.classify(sample)["reason"] == "assigned")


def test_shadow_that_fails_costs_nothing_and_rollback_needs_another_variant(
    admin: Admin, sample: Sample
) -> None:
    rule = {"candidate": "not-exported", "share": 1}
    assert admin.http.put("/v1/admin/shadows/s", json=rule).status_code == 200
    admin.classify(sample)

    def outcomes() -> dict[str, int]:
        shadows = admin.http.get("/v1/experiments").json()["shadows"]
        found: dict[str, int] = shadows[0]["outcomes"]
        return found

    eventually(lambda: outcomes() == {"variant_unavailable": 1})
    back = admin.http.post("/v1/admin/variants/openmoji/rollback")
    assert (back.status_code, back.json()["code"]) == (409, "nothing_else_served")
    entries = admin.http.get("/v1/admin/audit").json()["entries"]
    assert [each["action"] for each in entries] == ["shadow.put"]
