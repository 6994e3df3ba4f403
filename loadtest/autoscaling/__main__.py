"""`python -m loadtest.autoscaling FOLDER`: records all scenarios, about 30 minutes of real time.

Each becomes `FOLDER/NAME.om.gz`: samples in OpenMetrics, with times from the begin of the load. The
recordings that the chart's rules are replayed against are in `deploy/autoscaling/recorded`.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from loadtest.autoscaling.pools import SCRAPE_S, Pools, running
from loadtest.autoscaling.scenarios import SCENARIOS, Scenario
from loadtest.overload.open_loop import OpenLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

METRICS: Final = (
    "nv_inference_queue_duration_us",
    "nv_inference_request_success",
    "nv_inference_pending_request_count",
    "diptych_gateway_in_flight_requests",
    "diptych_gateway_endpoint_in_flight",
    "diptych_gateway_pool_answers_total",
    "diptych_gateway_refusals_total",
)
_COUNTERS: Final = ("_us", "_success", "_total")
_LEFT_OUT: Final = ("__name__", "instance", "job", "version")
_PAUSE_S: Final = 75.0  # until a minute's rate knows nothing of the scenario before


def main() -> int:
    """Records, and says what it does."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.autoscaling", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", help="scenarios by comma")
    arguments = parser.parse_args()
    known = [each.name for each in SCENARIOS]
    wanted = arguments.only.split(",") if arguments.only else known
    if unknown := sorted(set(wanted) - set(known)):
        parser.error(f"--only: {', '.join(unknown)}: not among {', '.join(known)}")
    logs = Path(".bench/autoscaling")
    logs.mkdir(parents=True, exist_ok=True)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="diptych-scaling-") as scratch,
        running(Path(scratch), logs) as p,
    ):
        for scenario in (each for each in SCENARIOS if each.name in wanted):
            print(f"{scenario.name}: {scenario.duration_s + _PAUSE_S:.0f} s", flush=True)
            time.sleep(_PAUSE_S)
            started_s = _play(scenario, p)
            write_recording(arguments.folder / f"{scenario.name}.om.gz", scenario, p, started_s)
    return 0


def _play(scenario: Scenario, pools: Pools) -> float:
    """Sends the load and does the outage; returns when it began, in seconds since the epoch."""
    statuses: dict[int, int] = {}

    def send() -> None:
        with OpenLoop(pools.server) as loop:
            for reply in loop.run(scenario.stretches):
                statuses[reply.status] = statuses.get(reply.status, 0) + 1

    started_s = time.time()
    load = threading.Thread(target=send, daemon=True)
    load.start()
    if scenario.outage_s is not None:
        begin_s, end_s = scenario.outage_s
        time.sleep(begin_s)
        pools.gpu[0].stop()
        time.sleep(max(0.0, started_s + end_s - time.time()))
        pools.gpu[0].start()
    load.join()
    print(f"  answers by status: {statuses}", flush=True)
    time.sleep(SCRAPE_S)
    return started_s


def write_recording(path: Path, scenario: Scenario, pools: Pools, started_s: float) -> None:
    """Writes what Prometheus has of a scenario.

    Args:
        path: the file.
        scenario: what was played.
        pools: where its Prometheus is.
        started_s: when the load began, in seconds since the epoch.
    """
    lines = "\n".join((*_lines(scenario, pools, started_s), "# EOF", ""))
    scratch = path.with_suffix(".new")
    # Without a time in it: the same samples are the same file.
    scratch.write_bytes(gzip.compress(lines.encode(), mtime=0))
    scratch.replace(path)


def _lines(scenario: Scenario, pools: Pools, started_s: float) -> Iterator[str]:
    minutes = int(scenario.duration_s // 60) + 3
    for metric in METRICS:
        kind = "counter" if metric.endswith(_COUNTERS) else "gauge"
        family = metric.removesuffix("_total")
        # Triton's counters do not end in `_total`, which OpenMetrics asks of a counter.
        yield f"# TYPE {family} {kind if metric.endswith('_total') else 'unknown'}"
        for series in pools.samples(metric, minutes):
            labels = ",".join(
                f'{name}="{value}"'
                for name, value in sorted(series["metric"].items())
                if name not in _LEFT_OUT
            )
            for at_s, value in series["values"]:
                if at_s >= started_s - 60:  # a minute more, for rates
                    yield f"{metric}{{{labels}}} {value} {at_s - started_s:.0f}"


if __name__ == "__main__":
    sys.exit(main())
