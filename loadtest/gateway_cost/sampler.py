"""Samples where this process spends its CPU time, by the interpreter's own means.

A timer of the kernel sends SIGPROF whenever the process has used some CPU time (`setitimer(2)`,
ITIMER_PROF), and `faulthandler` writes the Python stack of the thread that was running, from within
the signal handler: no bytecode has to come to its end for it, so nothing is favoured. A function
written in C counts for the Python function that called it; what none called is the event loop's.
"""

from __future__ import annotations

import faulthandler
import re
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOP: Final = "event loop, sockets (uvloop, kernel)"
OTHER_THREADS: Final = "other threads (gRPC core)"

_INTERVAL_S: Final = 0.001  # of CPU time; the kernel rounds it up to its tick, 4 ms on many
_STACK: Final = "Stack (most recent call first):"
_FRAME: Final = re.compile(r'  File "([^"]+)", line \d+ in ')

_UPLOAD: Final = "reading the upload"
_HTTP: Final = "HTTP server (uvicorn, httptools)"
_WEB: Final = "FastAPI, Starlette"
_GRPC: Final = "gRPC client, protobuf"
_ADMISSION: Final = "identity, admission"
_POOLS: Final = "pools, routing, reuse"
_TELEMETRY: Final = "metrics, log"
_ANSWER: Final = "classification, answer"

_PARTS: Final[Mapping[str, str]] = {  # the first that matches counts
    "/gateway/__main__": LOOP,
    "/gateway/server": LOOP,
    "/gateway/api/http_protocol": _HTTP,
    "/uvicorn/": _HTTP,
    "/fastapi/": _WEB,
    "/starlette/": _WEB,
    "/grpc/": _GRPC,
    "/google/protobuf/": _GRPC,
    "/tritonclient/": _GRPC,
    "/hpack/": _GRPC,
    "/gateway/grpc_client/": _GRPC,
    "/gateway/triton/": _GRPC,
    "/python_multipart/": _UPLOAD,
    "/gateway/api/multipart": _UPLOAD,
    "/gateway/api/upload": _UPLOAD,
    "/gateway/api/body": _UPLOAD,
    "/gateway/admission/": _ADMISSION,
    "/gateway/identity/": _ADMISSION,
    "/gateway/api/authentication": _ADMISSION,
    "/gateway/api/entrance": _ADMISSION,
    "/gateway/api/gate": _ADMISSION,
    "/gateway/pools/": _POOLS,
    "/gateway/routing/": _POOLS,
    "/gateway/reuse/": _POOLS,
    "/prometheus_client/": _TELEMETRY,
    "/logging/": _TELEMETRY,
    "/gateway/telemetry/": _TELEMETRY,
    "/gateway/api/access_log": _TELEMETRY,
    "/numpy/": _ANSWER,
    "/gateway/classification/": _ANSWER,
    "/gateway/api/answers": _ANSWER,
    "/gateway/": "the rest of gateway/api",
}


@dataclass(frozen=True)
class CpuClocks:
    """CPU time since the process began, in seconds."""

    main_s: float
    process_s: float

    @classmethod
    def read(cls) -> CpuClocks:
        """Reads both."""
        main = threading.main_thread().ident or 0
        return cls(time.clock_gettime(time.pthread_getcpuclockid(main)), time.process_time())


def start_sampling(stacks: TextIO) -> CpuClocks:
    """Begins to write stacks to a file, which must stay open.

    Returns:
        The clocks at that moment.
    """
    faulthandler.register(signal.SIGPROF, file=stacks, all_threads=False)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)
    return CpuClocks.read()


def stop_sampling() -> CpuClocks:
    """Ends it; returns the clocks at that moment."""
    signal.setitimer(signal.ITIMER_PROF, 0)
    return CpuClocks.read()


def shares(stacks: str, begun: CpuClocks, ended: CpuClocks) -> dict[str, float]:
    """Computes what share of the CPU time each part took; they add up to 1, largest first.

    Args:
        stacks: what `faulthandler` wrote.
        begun: clocks at the start.
        ended: clocks at the end. The kernel's clocks say what the main thread took, the stacks
            say of what.
    """
    counts = Counter(
        part
        for stack in stacks.split(_STACK)[1:]
        if (part := _part_of(_FRAME.findall(stack))) is not None
    )
    process_s = ended.process_s - begun.process_s
    main_ratio = min(1.0, (ended.main_s - begun.main_s) / process_s)
    found = {part: main_ratio * count / counts.total() for part, count in counts.items()}
    found[OTHER_THREADS] = 1.0 - main_ratio
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def _part_of(files: list[str]) -> str | None:
    """Names the part of the innermost file that belongs to one; None for another thread."""
    if files and files[-1].endswith("/threading.py"):
        return None
    for file in files:
        for place, part in _PARTS.items():
            if place in file:
                return part
    return LOOP
