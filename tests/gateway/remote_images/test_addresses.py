from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.remote_images.addresses import is_public


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111"])
def test_is_public_address_of_the_internet_is(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.1.2.3", "10.1.2.3", "172.16.0.1", "192.168.0.1"),
        *("169.254.169.254", "100.64.0.1", "192.0.0.170", "192.0.2.1", "198.18.0.1"),
        *("192.88.99.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("2001:db8::1", "3fff::1", "100::1", "2606:4700::1111%eth0"),
        pytest.param("::ffff:8.8.8.8", id="IPv4-mapped"),
        pytest.param("::ffff:0:7f00:1", id="IPv4-translated"),
        pytest.param("::8.8.8.8", id="IPv4-compatible"),
        pytest.param("64:ff9b::7f00:1", id="NAT64"),
        pytest.param("64:ff9b:1::7f00:1", id="local NAT64"),
        pytest.param("2002:7f00:1::", id="6to4"),
        pytest.param("2001:0:4136:e378:8000:63bf:3fff:fdd2", id="Teredo"),
        pytest.param("2606:4700::5efe:7f00:1", id="ISATAP"),
        *("localhost", "2130706433", "0x7f000001", "127.1", "017700000001", ""),
    ],
)
def test_is_public_any_other_is_not(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_is_public_no_ipv4_address_is_by_being_carried_in_ipv6(
    address: ipaddress.IPv4Address,
) -> None:
    number = int(address)
    carriers = (
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address(number),
        ipaddress.IPv6Address((0x0064_FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
    )
    assert not any(is_public(str(carrier)) for carrier in carriers)
