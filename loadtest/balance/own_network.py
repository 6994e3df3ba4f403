"""A network of this process's own, with loopback alone and a name server of its own.

The C library asks port 53 of what /etc/resolv.conf names, and knows no other way: to give it names
without touching the machine's, the process goes into namespaces, as a container does. No root is
needed where the kernel lets users make them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from loadtest.bench.errors import ObstacleError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME_SERVER: Final = "127.0.0.53"

_INSIDE: Final = "DIPTYCH_BALANCE_IS_INSIDE"
_UNSHARE: Final = ("unshare", "--user", "--map-root-user", "--mount", "--net")
# With its own /dev/shm, as regions there are named by addresses, which are others in here.
_SET_UP: Final = f"""
set -e
ip link set lo up
mount -t tmpfs -o size=256m tmpfs /dev/shm
echo 'nameserver {NAME_SERVER}' > /dev/shm/resolv.conf
mount --bind /dev/shm/resolv.conf /etc/resolv.conf
if [ -e /etc/nsswitch.conf ]; then
    echo 'hosts: files dns' > /dev/shm/nsswitch.conf
    mount --bind /dev/shm/nsswitch.conf /etc/nsswitch.conf
fi
exec "$@"
"""


def is_inside() -> bool:
    """Whether this process is in such a network."""
    return _INSIDE in os.environ


def enter(module: str, arguments: Sequence[str]) -> NoReturn:
    """Becomes `python -m module arguments` in a network of its own.

    Raises:
        ObstacleError: the kernel does not allow it, or a program for it is missing.
    """
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
    within = (*_UNSHARE, "sh", "-c", _SET_UP, "sh")
    try:
        tried = subprocess.run(
            [*within, "true"], env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ObstacleError(f"{error.filename} is missing: install util-linux.") from error
    if tried.returncode != 0:
        reason = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ObstacleError(
            f"No network of its own can be had here ({reason}): run it where user namespaces are "
            "allowed (sysctl user.max_user_namespaces; in Docker, --privileged), with iproute2."
        )
    command = (*within, sys.executable, "-m", module, *arguments)
    os.execvpe(command[0], command, {**environment, _INSIDE: "1"})  # noqa: S606 - no shell meant
