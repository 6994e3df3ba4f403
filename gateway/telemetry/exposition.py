"""What `/metrics` shows: this process's metrics, or those of the whole pod.

Workers keep their values in files that all of them read (prometheus_client's multiprocess mode), so
that whichever worker is asked answers for the pod. The files are named by the worker's number, not
by its process id: the worker that takes a dead one's place counts on where that one stopped, and
files do not pile up. Gauges say in `metrics` how the workers' values make the pod's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, values
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.worker_place import WorkerPlace

_FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


def join_pod(folder: Path, index: int) -> None:
    """Makes this process a worker of a pod; to be called before any metric is made.

    Args:
        folder: where the workers' values meet.
        index: this worker's number.
    """
    os.environ[_FOLDER_VARIABLE] = str(folder)  # the library asks the environment, again and again
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: index)


def is_in_pod() -> bool:
    """Whether this process is a worker of a pod."""
    return _FOLDER_VARIABLE in os.environ


def forget_worker(folder: Path, index: int) -> None:
    """Takes out the gauges of a worker that has ended; what it counted stays counted."""
    # The library's own name for it says process id, as that is what it names files by otherwise.
    mark_process_dead(index, str(folder))


def expose(registry: CollectorRegistry, place: WorkerPlace | None) -> bytes:
    """Returns the metrics in the Prometheus text format. Reads files in a pod.

    Args:
        registry: of this process.
        place: of this process among the workers of a pod; None: it is alone.
    """
    if place is not None:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(place.metrics_folder))
    return generate_latest(registry)
