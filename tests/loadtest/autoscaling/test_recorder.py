"""What the recorder writes, and that the replayer reads it."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from deploy.autoscaling.recordings import read_recording
from loadtest.autoscaling.__main__ import METRICS, write_recording
from loadtest.autoscaling.pools import Pools
from loadtest.autoscaling.scenarios import SCENARIOS
from loadtest.bench.load import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEGIN_S = 1_000_000.0


class Prometheus(BaseHTTPRequestHandler):
    """Answers every query with one series of three samples."""

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)["query"][0]
        metric = {"__name__": query.partition("[")[0], "instance": "a:1", "pod": "gpu-0"}
        values = [[BEGIN_S - 90, "1"], [BEGIN_S - 15, "2"], [BEGIN_S + 30, "4"]]
        body = json.dumps({"data": {"result": [{"metric": metric, "values": values}]}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def pools() -> Iterator[Pools]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Prometheus)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    nobody = Server(("127.0.0.1", 1), (), frozenset())
    yield Pools((), nobody, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
    server.server_close()


def test_samples_are_written_with_times_from_the_begin_of_the_load(
    pools: Pools, tmp_path: Path
) -> None:
    write_recording(tmp_path / "idle.om.gz", SCENARIOS[0], pools, BEGIN_S)

    recording = read_recording("idle", tmp_path)
    assert {series.partition("{")[0] for series in recording.samples} == set(METRICS)
    # A minute from before the load is kept for rates, and what is older is not.
    assert set(map(tuple, recording.samples.values())) == {((-15, 2.0), (30, 4.0))}
    assert all(series.endswith('{pod="gpu-0"}') for series in recording.samples)


def test_same_samples_are_the_same_file(pools: Pools, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_recording(tmp_path / name, SCENARIOS[0], pools, BEGIN_S)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert gzip.decompress((tmp_path / "a").read_bytes()).endswith(b"# EOF\n")


def test_ramp_rises_step_by_step_and_the_outage_lies_within_its_load() -> None:
    by_name = {each.name: each for each in SCENARIOS}

    rates = [each.rate_rps for each in by_name["ramp"].stretches[:-2]]
    assert rates == sorted(rates)
    # Reached by sums of steps: rounding is all that may differ.
    assert rates[0] == 1.0
    assert rates[-1] == pytest.approx(60.0, abs=1e-9)
    outage = by_name["partial-outage"]
    assert outage.outage_s is not None
    assert 0 < outage.outage_s[0] < outage.outage_s[1] < outage.duration_s
