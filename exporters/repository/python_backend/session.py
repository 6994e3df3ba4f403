"""How a step computes: its onnxruntime session, and its place among the other processes."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import onnxruntime

if TYPE_CHECKING:
    from pathlib import Path


def open_session(graph: Path, intra_op_threads: int) -> Any:  # noqa: ANN401  # no types there
    """Opens a graph on the CPU.

    Args:
        graph: the ONNX file.
        intra_op_threads: threads that share one operator. Instances side by side use the cores
            better than threads within one.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    # Waiting threads that spin take the cores from the other instances: with the defaults two
    # cores serve half as much.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def run_as_batch_work() -> None:
    """Asks the kernel to treat this process as long-running computation (`SCHED_BATCH`, sched(7)).

    More processes compute than there are cores. As batch work they are switched less often and
    keep their caches, and the short work of server and gateway goes first.
    """
    with suppress(OSError):  # a sandbox may forbid it; then things are as they were
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
