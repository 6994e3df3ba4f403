"""Binds the addresses that the gateway listens on, alone or for several workers.

What is accepted on them has its peer probed while nothing is said.

Workers listen side by side, each on a socket of its own, by SO_REUSEPORT: the kernel spreads the
connections among them, and those of a worker that ends go to the others from then on.
"""

from __future__ import annotations

import resource
import socket
from typing import Final, Literal

from gateway.start_errors import BindError

_BACKLOG: Final = 2048
_OTHER_FILES: Final = 256  # calls to Triton, gRPC, logs, the database
_PROBE_AFTER_S: Final = 60
_PROBE_EVERY_S: Final = 15
_PROBES: Final = 4


def bind(host: str, port: int) -> socket.socket:
    """Returns the listening HTTP socket of a process that is alone.

    Raises:
        BindError: the address is taken or not ours.
    """
    try:
        bound = socket.create_server((host, port), family=_family(host), backlog=_BACKLOG)
    except OSError as error:
        raise BindError("HTTP", f"{host}:{port}") from error
    _probe_peers(bound)
    return bound


def bind_beside(host: str, port: int) -> socket.socket:
    """Returns the HTTP socket of a worker, on a port that its parent has reserved.

    It does not listen yet: until the worker can serve, the others get its connections.

    Raises:
        BindError: the address is taken or not ours.
    """
    try:
        bound = _bound(host, port, is_shared=True)
    except OSError as error:
        raise BindError("HTTP", f"{host}:{port}") from error
    _probe_peers(bound)
    return bound


def affordable_connections(wanted: int) -> int:
    """Makes room for connections among the open files that the system allows this process.

    Args:
        wanted: connections.

    Returns:
        As many, or what the hard limit of open files leaves.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return max(1, needed - _OTHER_FILES)


def reserve(protocol: Literal["HTTP", "GRPC"], host: str, port: int) -> socket.socket:
    """Takes a port for workers.

    Returns:
        A socket that never listens and so gets no connections: it keeps the port while no worker
        runs.

    Raises:
        BindError: the address is taken or not ours.
    """
    try:
        # Without SO_REUSEPORT first: with it, a port of another gateway would be shared in silence.
        with _bound(host, port, is_shared=False) as probe:
            free_port: int = probe.getsockname()[1]
        return _bound(host, free_port, is_shared=True)
    except OSError as error:
        raise BindError(protocol, f"{host}:{port}") from error


def _bound(host: str, port: int, *, is_shared: bool) -> socket.socket:
    bound = socket.socket(_family(host), socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def _probe_peers(bound: socket.socket) -> None:
    """Lets accepted sockets inherit that a peer which is gone without a word is found in time."""
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER_S)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_EVERY_S)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
