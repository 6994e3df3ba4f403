"""`python -m loadtest run` as a user types it: against a server of the test, and the real stack."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from deploy.local.triton_server import free_ports
from loadtest.cli import app
from tests.conftest import DEMO, ROOT
from tests.loadtest.traffic.described import ANSWER, openapi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCENARIO = """
[mine]
about = "A test."
duration_s = 3
shape = { kind = "steady", rate_rps = 40 }
protocols = { multipart = 1, json = 1 }
modalities = { both = 1, text = 1 }
corpus = "samples"
limits = { p99_ms = 500, max_error_ratio = 0, min_goodput_ratio = 0.9 }
"""
STALL_S = (1.0, 2.0)


@contextmanager
def serving(*, stall_s: tuple[float, float] = (0.0, 0.0)) -> Iterator[str]:
    """Answers rightly, but not at all during a stall that the first request's time begins."""
    begun_s: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(openapi())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            begun_s.append(time.monotonic())
            passed_s = time.monotonic() - begun_s[0]
            if stall_s[0] <= passed_s < stall_s[1]:
                time.sleep(stall_s[1] - passed_s)
            self._send(ANSWER)

        def _send(self, fields: dict[str, Any]) -> None:
            body = json.dumps(fields).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A test's output is no place for an access log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text(SCENARIO, encoding="utf-8")
    sample = {"image": "one.png", "text": "a cat", "further": [{"image": "one.png", "text": "b"}]}
    (tmp_path / "sample.json").write_text(json.dumps(sample), encoding="utf-8")
    (tmp_path / "one.png").write_bytes(b"\x89PNG, or so")
    return tmp_path


def load(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


def run_mine(folder: Path, url: str, *arguments: object) -> tuple[int, dict[str, Any], str]:
    output = folder / "load.json"
    place = ("--file", folder / "mine.toml", "--samples", folder, "--output", output)
    result = load("run", "mine", "--url", url, *place, *arguments)
    figures = json.loads(output.read_text(encoding="utf-8"))["figures"] if output.exists() else {}
    return result.returncode, figures, result.stdout + result.stderr


def test_run_with_a_worker_and_one_that_comes_sends_the_whole_rate(folder: Path) -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "loadtest", "worker", "--port", str(port)]
    come = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with serving() as url:
        crew = ("--workers", 1, "--remote-workers", 1, "--port", port)
        code, figures, said = run_mine(folder, url, *crew)
    told, _ = come.communicate(timeout=30)
    assert (code, come.returncode) == (0, 0), said
    assert f"Awaiting 1 worker: python -m loadtest worker --master 127.0.0.1 --port {port}" in said
    assert f"Waiting for a master at 127.0.0.1:{port}" in told
    # 120 expected; five standard deviations of a Poisson count.
    assert abs(figures["whole"]["requests"] - 120) < 55
    assert set(figures["by_protocol"]) == {"multipart", "json"}
    assert set(figures["by_modalities"]) == {"both", "text"}
    page = (folder / "load.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "mine: <span" in page


def test_run_against_a_service_that_stalls_counts_all_that_was_due_meanwhile(folder: Path) -> None:
    with serving(stall_s=STALL_S) as url:
        code, figures, said = run_mine(folder, url)
    assert code == 1, said
    # A third of the run is the stall, in which a closed loop of a few users would have sent a few.
    # Those of its first half waited for more than half of a second: a sixth; a third less for luck.
    assert figures["whole"]["goodput_ratio"] < 1 - 1 / 6 * 2 / 3
    assert figures["whole"]["right"]["p99_ms"] > 700
    assert "MISSED  P99 of right answers" in said


def test_run_without_a_service_or_samples_says_what_to_do(folder: Path) -> None:
    code, _, said = run_mine(folder, "http://127.0.0.1:9")
    assert code == 2
    assert "is it up and ready?" in said
    (folder / "sample.json").unlink()
    with serving() as url:
        code, _, said = run_mine(folder, url)
    assert code == 2
    assert "make export" in said


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("run", "smoke", "--url", "127.0.0.1:8080", "--grpc-target", "a:1"), "http://host:port"),
        (("run", "smoke", "--url", "http://127.0.0.1:8080"), "--grpc-target host:port"),
        (
            ("run", "smoke", "--remote-workers", "1", "--bind", "10.0.0.7"),
            "--url and --grpc-target",
        ),
    ],
)
def test_run_that_cannot_be_says_so_before_anything_is_started(
    tmp_path: Path, arguments: tuple[str, ...], remedy: str
) -> None:
    result = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "load.json")])
    assert result.exit_code == 2
    assert remedy in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_worker_of_a_master_without_an_address_ends_with_the_reason() -> None:
    result = load("worker", "--master", "no..name")
    assert result.returncode == 2
    assert "No master at no..name:5557" in result.stderr


@pytest.mark.e2e
def test_smoke_on_the_real_stack_uses_every_way_in(demo_repository: Path, tmp_path: Path) -> None:
    text = (ROOT / "loadtest/traffic/scenarios.toml").read_text(encoding="utf-8")
    # What a busy machine answers late or refuses is not what is tested here; what is wrong is.
    lenient = "p99_ms = 9000, max_error_ratio = 0, max_refused_ratio = 0.5, min_goodput_ratio = 0.1"
    begin = text.index("limits = {", text.index("[smoke]"))
    end = text.index("}", begin) + 1
    file = tmp_path / "scenarios.toml"
    file.write_text(f"{text[:begin]}limits = {{ {lenient} }}{text[end:]}", encoding="utf-8")
    output = tmp_path / "smoke.json"
    place = ("--file", file, "--model-repository", demo_repository, "--variant", DEMO)
    result = load("run", "smoke", *place, "--seconds", 6, "--output", output)
    assert result.returncode == 0, result.stdout + result.stderr
    figures = json.loads(output.read_text(encoding="utf-8"))["figures"]
    assert set(figures["by_protocol"]) == {"batch", "grpc", "json", "multipart"}
    assert figures["whole"]["error_ratio"] == 0
