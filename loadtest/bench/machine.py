"""What was measured on and with: figures mean nothing without it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil

_PACKAGES: Final = (
    "fastapi", "grpcio", "httptools", "numpy", "nvidia-pytriton", "onnxruntime", "pillow",
    "tokenizers", "tritonclient", "uvicorn", "uvloop",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """This machine and its software.

    Attributes:
        cpu_model: as the kernel names it.
        cores: that this process may use.
        memory_mib: of the machine.
        system: kernel and architecture.
        versions: of Python and of the packages that matter; absent ones are left out.
    """

    cpu_model: str
    cores: int
    memory_mib: int
    system: str
    versions: dict[str, str]


def usable_cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def this_machine() -> Machine:
    """Looks at this machine."""
    return Machine(
        cpu_model=_cpu_model(),
        cores=usable_cores(),
        memory_mib=psutil.virtual_memory().total // 1024**2,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        versions={"python": platform.python_version(), **_package_versions()},
    )


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown"


def _package_versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
