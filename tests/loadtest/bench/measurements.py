"""Windows and figures with numbers that a test decides."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loadtest.bench.accounting import CpuUse, Memory
from loadtest.bench.figures import Figures, LoadFigures, LoneClientFigures
from loadtest.bench.machine import Machine
from loadtest.bench.window import BASELINE, GATEWAY, IN_PROCESS, ONE_REQUEST, Sample, Window
from loadtest.bench.worker import Branches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtest.bench.rounds import Round


def sample(
    throughput_rps: float = 0.0,
    *,
    foreign_ratio: float = 0.0,
    latencies_ms: Sequence[float] = (),
    failures: int = 0,
    cpu_s: dict[str, float] | None = None,
    branches: Branches | None = None,
) -> Sample:
    return Sample(
        cpu=CpuUse(cpu_s or {}, foreign_ratio, idle_ratio=0.05),
        duration_s=2.0,
        throughput_rps=throughput_rps,
        latencies_ms=tuple(latencies_ms),
        failures=Counter({"status 503: busy": failures} if failures else {}),
        branches=branches,
    )


def round_of(**samples: Sample) -> Round:
    return {name: Window(name, 0, each) for name, each in samples.items()}


def figures(
    *,
    gateway_rps: float = 60.0,
    latency_ms: float = 300.0,
    lone_p50_ms: float = 20.0,
    pss_mib: float = 500.0,
    start_s: float = 3.0,
    failures: int = 0,
) -> Figures:
    """Those of a service that meets all targets, unless told otherwise."""
    loaded: Round = {
        GATEWAY: Window(
            GATEWAY, 1, sample(gateway_rps, latencies_ms=[latency_ms] * 4, failures=failures)
        ),
        IN_PROCESS: Window(IN_PROCESS, 0, sample(66.0)),
        BASELINE: Window(BASELINE, 0, sample(60.0)),
    }
    lone: Round = {
        GATEWAY: Window(GATEWAY, 0, sample(40.0, latencies_ms=[lone_p50_ms] * 4)),
        ONE_REQUEST: Window(ONE_REQUEST, 0, sample(branches=Branches(14.0, 9.0))),
    }
    return Figures(
        machine=Machine("a CPU", 2, 8192, "Linux", {"python": "3.11"}),
        variant="demo@0123",
        precision="fp32",
        corpus={"requests": 64},
        window_s=2.0,
        starts_s=[9.0, start_s],
        in_process_rps={"2 x 1 thread": 66.0},
        baseline_rps={"2 at a time": 60.0},
        layout="2 x 1 thread",
        baseline_settings="2 at a time",
        loads=[LoadFigures.of(1, [lone], GATEWAY), LoadFigures.of(16, [loaded], GATEWAY)],
        lone_client=LoneClientFigures.of([lone], GATEWAY, ONE_REQUEST),
        memory=Memory(pss_mib, 2 * pss_mib, {"gateway": pss_mib}),
    )
