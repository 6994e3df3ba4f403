"""Evaluates PromQL over a recording, by a real Prometheus that reads it as its own past."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from deploy.local.triton_server import free_ports
from deploy.tools import program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.autoscaling.recordings import Recording

BEGIN_S: Final = 1_767_225_600
"""When a recording is made to begin: 2026-01-01, in seconds since the epoch; a block's begin."""

_START_TIMEOUT_S: Final = 30.0
_HOST: Final = "127.0.0.1"


class EvaluationError(Exception):
    """Prometheus does not take the recording, does not start, or refuses a query.

    Attributes:
        reason: its words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def evaluate(
    recording: Recording, queries: Iterable[str], step_s: int
) -> dict[str, list[float | None]]:
    """Evaluates queries all along a recording.

    Args:
        recording: the samples.
        queries: each yields one series without labels, or nothing.
        step_s: time between two evaluations, in seconds; the first is at 0.

    Returns:
        The values by query; None where a query yields nothing.

    Raises:
        EvaluationError: see there.
    """
    with (
        TemporaryDirectory(prefix="diptych-replay-") as folder,
        _serving(recording, Path(folder)) as url,
    ):
        return {query: _values(url, query, recording.duration_s, step_s) for query in set(queries)}


@contextmanager
def _serving(recording: Recording, folder: Path) -> Iterator[str]:
    samples, blocks, config = folder / "samples.om", folder / "blocks", folder / "empty.yml"
    samples.write_text(recording.open_metrics(BEGIN_S), encoding="utf-8")
    config.write_text("{}\n", encoding="ascii")
    promtool = str(program("prometheus", "promtool"))
    backfill = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(samples), str(blocks)]
    result = subprocess.run(backfill, capture_output=True, text=True, timeout=120, check=False)
    if result.returncode:
        raise EvaluationError(result.stderr.strip() or result.stdout.strip())
    (port,) = free_ports(1)
    command = [
        str(program("prometheus")),
        f"--config.file={config}",
        f"--storage.tsdb.path={blocks}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address={_HOST}:{port}",
        "--log.level=error",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://{_HOST}:{port}"
        _wait_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(20.0)


def _wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < end_s and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=1):  # noqa: S310  # our own
                return
        except OSError:
            time.sleep(0.1)
    raise EvaluationError("Prometheus does not start: look at `prometheus --version`")


def _values(url: str, query: str, duration_s: int, step_s: int) -> list[float | None]:
    times = {"start": BEGIN_S, "end": BEGIN_S + duration_s, "step": step_s}
    ask = f"{url}/api/v1/query_range?{urllib.parse.urlencode({'query': query, **times})}"
    try:
        with urllib.request.urlopen(ask, timeout=30) as response:  # noqa: S310  # our own
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        raise EvaluationError(f"{query}: {error.read().decode()}") from error
    result = answer["data"]["result"]
    if len(result) > 1 or (result and result[0]["metric"]):
        raise EvaluationError(f"{query}: it yields {len(result)} series, and a scaler takes one")
    found = {int(at_s) - BEGIN_S: float(value) for at_s, value in _samples(result)}
    return [found.get(at_s) for at_s in range(0, duration_s + 1, step_s)]


def _samples(result: list[dict[str, Any]]) -> Iterator[tuple[float, str]]:
    for series in result:
        yield from series["values"]
