from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from deploy.local.triton_server import free_ports
from loadtest.faults.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"


@contextmanager
def echo_server() -> Iterator[tuple[str, int]]:
    """Sends back what one connection after the other sends."""
    listening = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    def echo(connection: socket.socket) -> None:
        # Where the relay is told to hang up, it resets.
        with connection, suppress(ConnectionResetError):
            while data := connection.recv(1024):
                connection.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_relay_black_hole_accepts_and_swallows_and_gives_back_afterwards() -> None:
    address = (HOST, free_ports(1)[0])
    with (
        echo_server() as target,
        Relay(address, target) as relay,
        socket.create_connection(address, timeout=5) as old,
    ):
        old.sendall(b"before")
        assert old.recv(1024) == b"before"

        relay.set_black_hole(True)
        old.sendall(b"held")
        with socket.create_connection(address, timeout=0.3) as new:
            new.sendall(b"new")
            with pytest.raises(TimeoutError):
                new.recv(1024)

        relay.set_black_hole(False)
        assert old.recv(1024) == b"held"
