"""The machine that is to serve a model repository, as far as rules ask for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIB: Final = 2**20

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # not a temporary file: Linux's shared memory


@dataclass(frozen=True)
class Machine:
    """What production has.

    Attributes:
        cores: cores that Triton may use.
        shared_memory_bytes: size of /dev/shm.
    """

    cores: int
    shared_memory_bytes: int


def this_machine() -> Machine:
    """The machine that this process runs on."""
    shared_memory_bytes = 0
    if _SHARED_MEMORY.is_dir():
        status = os.statvfs(_SHARED_MEMORY)
        shared_memory_bytes = status.f_blocks * status.f_frsize
    return Machine(len(os.sched_getaffinity(0)), shared_memory_bytes)
