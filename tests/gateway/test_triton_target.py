from __future__ import annotations

import pytest

from gateway.start_errors import EndpointAddressError
from gateway.triton_target import TritonTarget, address_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8001", TritonTarget("127.0.0.1", 8001, is_name=False)),
        ("triton:8001", TritonTarget("triton", 8001, is_name=False)),
        ("[::1]:8001", TritonTarget("::1", 8001, is_name=False)),
        ("dns:///triton.models:8001", TritonTarget("triton.models", 8001, is_name=True)),
    ],
)
def test_parse_reads_addresses_and_names(text: str, expected: TritonTarget) -> None:
    assert TritonTarget.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["triton", "triton:", ":8001", "triton:0", "http://triton:8001", "::1:8001", "a:70000"]
)
def test_parse_refuses_what_is_no_address(text: str) -> None:
    with pytest.raises(EndpointAddressError, match="host:port"):
        TritonTarget.parse(text)


def test_address_of_ipv6_has_brackets() -> None:
    assert address_of("::1", 8001) == "[::1]:8001"
