"""The gRPC API under test, in plain and behind TLS."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from loadtest.traffic.errors import TargetError
from loadtest.traffic.grpc_calls import GrpcClassifier


@pytest.mark.parametrize(
    ("scheme", "first_bytes"), [("", b"PRI * HTTP/2.0"), ("grpcs://", b"\x16\x03")]
)
def test_channel_speaks_tls_where_the_address_says_so(scheme: str, first_bytes: bytes) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        ThreadPoolExecutor(1) as pool,
    ):

        def hear() -> bytes:
            connection, _ = server.accept()
            with connection:
                return connection.recv(len(first_bytes))

        heard = pool.submit(hear)
        address = f"{scheme}127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(TargetError, match="UNAVAILABLE"):
            GrpcClassifier.open(address, api_key=None)
        assert heard.result(timeout=10) == first_bytes
