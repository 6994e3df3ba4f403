"""Binds the addresses that the gateway listens on, alone or for several workers.

Workers listen side by side, each on a socket of its own, by SO_REUSEPORT: the kernel spreads the
connections among them, and those of a worker that ends go to the others from then on.
"""

from __future__ import annotations

import socket
from typing import Final, Literal

from gateway.errors import BindError

_BACKLOG: Final = 2048


def bind(host: str, port: int) -> socket.socket:
    """Returns the listening HTTP socket of a process that is alone.

    Raises:
        BindError: the address is taken or not ours.
    """
    try:
        return socket.create_server((host, port), family=_family(host), backlog=_BACKLOG)
    except OSError as error:
        raise BindError("HTTP", f"{host}:{port}") from error


def bind_beside(host: str, port: int) -> socket.socket:
    """Returns the HTTP socket of a worker, on a port that its parent has reserved.

    It does not listen yet: until the worker can serve, the others get its connections.

    Raises:
        BindError: the address is taken or not ours.
    """
    try:
        return _bound(host, port, is_shared=True)
    except OSError as error:
        raise BindError("HTTP", f"{host}:{port}") from error


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


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
