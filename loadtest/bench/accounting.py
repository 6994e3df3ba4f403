"""Where the CPU time of this machine goes, process by process, and how much memory a service takes.

The bench shares its machine with whatever else runs there. What others took is the machine's busy
time less that of this process and all that it started.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CLIENT: Final = "client"
"""This process: the load client, and nothing else while a window is measured."""

_STUB: Final = "triton_python_backend_stub"
_MIB: Final = 1024**2


@dataclass(frozen=True)
class CpuReading:
    """CPU time since some moment in the past, in seconds.

    Attributes:
        machine_s: of everything that runs on this machine, and what a hypervisor took away.
        idle_s: of cores that had nothing to do.
        by_process_s: of this process and its descendants, by `role`.
    """

    machine_s: float
    idle_s: float
    by_process_s: Mapping[str, float]


@dataclass(frozen=True)
class CpuUse:
    """CPU time between two readings.

    Attributes:
        by_process_s: of this process and its descendants, by `role`, in seconds.
        foreign_ratio: share of the machine's capacity that went to other processes, 0 to 1. Ticks
            of 10 ms make it coarse in windows below a second.
        idle_ratio: share of the capacity that nobody used.
    """

    by_process_s: Mapping[str, float]
    foreign_ratio: float
    idle_ratio: float

    @classmethod
    def between(cls, before: CpuReading, after: CpuReading) -> CpuUse:
        """Subtracts two readings."""
        own = {
            name: seconds - before.by_process_s.get(name, 0.0)
            for name, seconds in after.by_process_s.items()
        }
        busy_s = after.machine_s - before.machine_s
        idle_s = after.idle_s - before.idle_s
        foreign_s = max(0.0, busy_s - sum(own.values()))
        # No time at all between two readings: nobody used anything.
        capacity_s = busy_s + idle_s or 1.0
        return cls(own, foreign_s / capacity_s, idle_s / capacity_s)


def read_cpu() -> CpuReading:
    """Reads the counters of the machine and of this process with all its descendants."""
    machine = psutil.cpu_times()
    busy_s = (
        machine.user  # time of virtual guests is part of it
        + machine.nice
        + machine.system
        + machine.irq
        + machine.softirq
        + machine.steal
    )
    by_process_s: dict[str, float] = defaultdict(float)
    for process in _family():
        try:
            times = process.cpu_times()
            by_process_s[role(process)] += times.user + times.system
        except psutil.NoSuchProcess:  # ended since it was listed
            continue
    return CpuReading(busy_s, machine.idle + machine.iowait, by_process_s)


def role(process: psutil.Process) -> str:
    """Names what a process of the bench does; a Triton model process by its model."""
    if process.pid == psutil.Process().pid:
        return CLIENT
    command = process.cmdline()
    program = Path(command[0]).name if command else process.name()
    if program == _STUB:
        return Path(command[1]).parents[1].name  # .../<model>/<version>/model.py
    if "-m" in command:
        return command[command.index("-m") + 1]
    if "--multiprocessing-fork" in command:
        return "in-process worker"
    return program


def _family() -> Iterator[psutil.Process]:
    itself = psutil.Process()
    yield itself
    yield from itself.children(recursive=True)


@dataclass(frozen=True)
class Memory:
    """Memory of a set of processes, in MiB.

    Attributes:
        pss_mib: proportional set size, summed: a page that several processes map counts once,
            divided among them (`/proc/<pid>/smaps_rollup`).
        rss_mib: resident set size, summed: such a page counts once a process.
        pss_by_process_mib: `pss_mib` by `role`.
    """

    pss_mib: float
    rss_mib: float
    pss_by_process_mib: Mapping[str, float]


def read_memory(roots: Iterable[int]) -> Memory:
    """Reads the memory of processes and all their descendants.

    A page that is shared with a process outside the set is counted only in part: read it when
    nothing else runs that maps the same libraries.

    Args:
        roots: process ids.
    """
    by_process: Counter[str] = Counter()
    rss_bytes = 0
    for pid in roots:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            try:
                memory = process.memory_full_info()
                by_process[role(process)] += memory.pss
            except psutil.NoSuchProcess:  # ended since it was listed
                continue
            rss_bytes += memory.rss
    return Memory(
        pss_mib=sum(by_process.values()) / _MIB,
        rss_mib=rss_bytes / _MIB,
        pss_by_process_mib={name: pss / _MIB for name, pss in by_process.items()},
    )
