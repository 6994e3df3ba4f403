from __future__ import annotations

import socket

import pytest

from gateway.listening import bind_beside, reserve
from gateway.start_errors import BindError

HOST = "127.0.0.1"


def test_reserve_lets_workers_listen_and_gets_no_connection_itself() -> None:
    with reserve("HTTP", HOST, 0) as reserved:
        port = reserved.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port), timeout=2)
        with bind_beside(HOST, port) as first, bind_beside(HOST, port) as second:
            # Bound is not yet listening: a worker gets connections when it can serve.
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((HOST, port), timeout=2)
            first.listen()
            second.listen()
            for _ in range(8):
                socket.create_connection((HOST, port), timeout=2).close()


@pytest.mark.parametrize("is_shared", [False, True])
def test_reserve_port_of_another_is_an_error_though_it_would_share(is_shared: bool) -> None:
    with socket.create_server((HOST, 0), reuse_port=is_shared) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=f"{HOST}:{port}.*DIPTYCH_GATEWAY_GRPC_HOST"):
            reserve("GRPC", HOST, port)


def test_reserve_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(BindError, match=r"192\.0\.2\.1"):  # TEST-NET-1 of RFC 5737
        reserve("HTTP", "192.0.2.1", 0)
