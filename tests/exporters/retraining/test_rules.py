"""What brings a candidate to traffic is what the gateway reads; an older one is not pushed out."""

from __future__ import annotations

import json
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from exporters.retraining.errors import RegistrationError
from exporters.retraining.register import register
from exporters.retraining.rules import Rules, write_rules
from gateway.routing.definitions import ExperimentDefinition, ShadowDefinition, TrafficFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = Rules("openmoji", "openmoji", "openmoji-r0a1b2c3d", 0.05)


class AdminStandIn(HTTPServer):
    """Keeps what is put, behind one key."""

    def __init__(self) -> None:
        self.rules: dict[str, dict[str, Any]] = {}
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: AdminStandIn

    def do_GET(self) -> None:
        rule = self.server.rules.get(self.path)
        self._answer(404 if rule is None else 200, {"definition": rule})

    def do_PUT(self) -> None:
        if self.headers["x-api-key"] != "secret":
            self._answer(403, {"detail": "Needs a key of scope admin."})
            return
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.rules[self.path] = body
        self._answer(200, {"definition": body})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def admin() -> Iterator[AdminStandIn]:
    with AdminStandIn() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def url(server: AdminStandIn) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_rules_are_what_the_gateway_reads_from_file_and_api(tmp_path: Path) -> None:
    written = tomllib.loads(write_rules(RULES, tmp_path).read_text())

    file = TrafficFile.model_validate(written)

    assert file.experiments == (
        ExperimentDefinition.model_validate({"name": RULES.name} | RULES.experiment),
    )
    assert file.shadows == (ShadowDefinition.model_validate({"name": RULES.name} | RULES.shadow),)
    assert file.experiments[0].share_of(RULES.candidate) == 0
    assert file.experiments[0].ramp is not None


def test_register_puts_experiment_and_shadow(admin: AdminStandIn, tmp_path: Path) -> None:
    register(RULES, tmp_path / "rules.toml", url(admin), "secret")

    assert admin.rules == {
        "/v1/admin/experiments/retrained-openmoji": RULES.experiment,
        "/v1/admin/shadows/retrained-openmoji": RULES.shadow,
    }


def test_register_leaves_an_older_candidate_that_has_traffic(
    admin: AdminStandIn, tmp_path: Path
) -> None:
    arms = {"openmoji": {"weight": 95}, "openmoji-r11111111": {"weight": 5}}
    older = {"control": "openmoji", "arms": arms}
    admin.rules["/v1/admin/experiments/retrained-openmoji"] = older

    with pytest.raises(RegistrationError, match="'openmoji-r11111111' has traffic"):
        register(RULES, tmp_path / "rules.toml", url(admin), "secret")

    assert admin.rules == {"/v1/admin/experiments/retrained-openmoji": older}


def test_register_that_is_refused_says_why_and_names_the_file(
    admin: AdminStandIn, tmp_path: Path
) -> None:
    with pytest.raises(RegistrationError, match="403 Needs a key of scope admin") as caught:
        register(RULES, tmp_path / "rules.toml", url(admin), None)

    assert "rules.toml" in caught.value.remedy
