"""Says before anything is installed what on this machine stands in the way, and the remedy.

`make run` runs this file with the Python it found, perhaps a very old one: it keeps to the standard
library and to a syntax that Python 3.6 reads (hence the quoted annotations). `preflight` asks the
same questions again, and more, once there is an environment.
"""

import argparse
import importlib.util
import os
import platform
import shutil
import socket
import sys
from pathlib import Path
from typing import NamedTuple

OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 12)  # numpy 1.26, which nvidia-pytriton needs, has no wheel for 3.13
OLDEST_GLIBC = (2, 35)  # nvidia-pytriton is a manylinux_2_35 wheel

MIB = 1024**2
GIB = 1024**3
INSTALL_DISK_BYTES = 4 * GIB  # the environment, the demo's packages, its cached features
RUN_DISK_BYTES = GIB
SHARED_MEMORY_BYTES = 256 * MIB
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # not a temporary file: Linux's shared memory

PORTS = {
    "DIPTYCH_LOCAL_GATEWAY_HTTP_PORT": ("gateway HTTP", 8080),
    "DIPTYCH_LOCAL_GATEWAY_GRPC_PORT": ("gateway gRPC", 8081),
    "DIPTYCH_LOCAL_TRITON_HTTP_PORT": ("Triton HTTP", 8000),
    "DIPTYCH_LOCAL_TRITON_GRPC_PORT": ("Triton gRPC", 8001),
    "DIPTYCH_LOCAL_TRITON_METRICS_PORT": ("Triton metrics", 8002),
}
"""Setting: (what listens there, its default)."""


class Machine(NamedTuple):
    """What matters here of a machine and its Python."""

    python: "tuple[int, int]"
    has_ensurepip: bool
    system: str
    architecture: str
    libc: str
    free_disk_bytes: int
    free_shared_memory_bytes: int


def this_machine(folder: Path) -> Machine:
    """Looks at this machine.

    Args:
        folder: where the environment and the workspace will be.
    """
    has_shared_memory = SHARED_MEMORY.is_dir()
    return Machine(
        python=(sys.version_info[0], sys.version_info[1]),
        has_ensurepip=importlib.util.find_spec("ensurepip") is not None,
        system=platform.system(),
        architecture=platform.machine(),
        # Not platform.libc_ver(): before Python 3.8 it told what the interpreter needs.
        libc=(os.confstr("CS_GNU_LIBC_VERSION") or "") if sys.platform == "linux" else "",
        free_disk_bytes=shutil.disk_usage(str(folder)).free,
        free_shared_memory_bytes=(
            shutil.disk_usage(str(SHARED_MEMORY)).free if has_shared_memory else 0
        ),
    )


def python_findings(machine: Machine) -> "list[str]":
    """Finds a Python that the pinned packages cannot be installed into."""
    if OLDEST_PYTHON <= machine.python <= NEWEST_PYTHON:
        return []
    found = ".".join(map(str, machine.python))
    return [
        f"Python {found} cannot run Diptych: install Python 3.11 or 3.12, and name it if it is not "
        "found by itself, for example `make run PYTHON=python3.11`."
    ]


def environment_findings(machine: Machine) -> "list[str]":
    """Finds a Python that cannot make a virtual environment."""
    if machine.has_ensurepip:
        return []
    package = "python{}.{}-venv".format(*machine.python)
    return [
        "This Python cannot make a virtual environment: install its venv package "
        f"(Debian, Ubuntu: {package})."
    ]


def platform_findings(machine: Machine) -> "list[str]":
    """Finds an operating system that the bundled Triton has no binary for."""
    if (machine.system, machine.architecture) != ("Linux", "x86_64"):
        return [
            "The bundled Triton runs on Linux x86-64 alone, and this is "
            f"{machine.system} {machine.architecture}: use such a machine, or docker-compose.yml."
        ]
    name, _, version = machine.libc.partition(" ")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if name == "glibc" and numbers >= OLDEST_GLIBC:
        return []
    needed = ".".join(map(str, OLDEST_GLIBC))
    return [
        f"The bundled Triton needs glibc {needed} or newer, and this system has "
        f"{machine.libc or 'another C library'}: use Debian 12, Ubuntu 22.04 or newer, or "
        "docker-compose.yml."
    ]


def disk_findings(machine: Machine, needed_bytes: int) -> "list[str]":
    """Finds too little free disk space where the project stands."""
    if machine.free_disk_bytes >= needed_bytes:
        return []
    return [
        f"This disk has {machine.free_disk_bytes / GIB:.1f} GiB free and {needed_bytes / GIB:.0f} "
        "GiB are needed: free some space, or put the project on another disk."
    ]


def shared_memory_findings(
    machine: Machine, needed_bytes: int = SHARED_MEMORY_BYTES
) -> "list[str]":
    """Finds too little shared memory for Triton's model processes."""
    if machine.free_shared_memory_bytes >= needed_bytes:
        return []
    free_mib, needed_mib = machine.free_shared_memory_bytes // MIB, needed_bytes // MIB
    return [
        f"{SHARED_MEMORY} has {free_mib} MiB free and {needed_mib} MiB are needed: start the "
        f"container with --shm-size=1g, or as root `mount -o remount,size=1g {SHARED_MEMORY}`."
    ]


def port_findings(
    setting: str, value: "str | int", host: str = "127.0.0.1", owner: str = "another process"
) -> "list[str]":
    """Finds a port that is taken, or not a port.

    Args:
        setting: a key of `PORTS`.
        value: its value, as a number or as a user wrote it.
        host: the address to listen on.
        owner: who has the port, where that is known.
    """
    if not str(value).isdigit() or not 0 < int(value) < 65536:
        return [f"{setting}={value} is not a port: give a number from 1 to 65535."]
    if is_port_free(int(value), host):
        return []
    listener, _ = PORTS[setting]
    return [
        f"Port {value} ({listener}) is taken by {owner}: stop that (a Diptych: `make stop`), or "
        f"set {setting} to a free port."
    ]


def is_port_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do: connections of an earlier one that are still closing are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def machine_findings(machine: Machine, has_environment: bool) -> "list[str]":
    """Asks everything of a machine that can be asked without the project's packages.

    Args:
        machine: what is known of it.
        has_environment: whether the virtual environment was made already.
    """
    found = python_findings(machine)
    if not found and not has_environment:
        found = environment_findings(machine)
    return [
        *found,
        *platform_findings(machine),
        *disk_findings(machine, RUN_DISK_BYTES if has_environment else INSTALL_DISK_BYTES),
        *shared_memory_findings(machine),
    ]


def main() -> int:
    """Prints each finding on a line of its own; exit status 2 when there is one."""
    parser = argparse.ArgumentParser(description="Checks this machine before `make run` installs.")
    parser.add_argument("--venv", default=".venv", help="folder of the virtual environment")
    parser.add_argument("--ports", action="store_true", help="ask for free ports as well")
    arguments = parser.parse_args()
    has_environment = Path(arguments.venv, ".installed").exists()
    found = machine_findings(this_machine(Path.cwd()), has_environment)
    if arguments.ports:
        for setting, (_, default) in PORTS.items():
            found += port_findings(setting, os.environ.get(setting, default))
    for sentence in found:
        sys.stderr.write(sentence + "\n")
    return 2 if found else 0


if __name__ == "__main__":
    sys.exit(main())
