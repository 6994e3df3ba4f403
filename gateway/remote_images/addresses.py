"""Which addresses the gateway may fetch from: those of the public internet alone.

What is not allowed is everything else, so that a range that is given a meaning later is not open by
oversight (IANA special-purpose address registries, RFC 6890).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

_RELAYS_OF_6TO4: Final = ip_network("192.88.99.0/24")
_GLOBAL_UNICAST_V6: Final = IPv6Network("2000::/3")
_SPECIAL_V6: Final = (
    IPv6Network("2002::/16"),  # 6to4: an IPv4 address travels inside
    IPv6Network("2001::/23"),  # Teredo, and other blocks of protocols
    IPv6Network("3fff::/20"),  # documentation (RFC 9637), younger than Python's own list
)
# The last 64 bits of an ISATAP address begin so, and end in an IPv4 address (RFC 5214, 6.1).
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})


def is_public(address: str) -> bool:
    """Whether an address is one of a host on the public internet.

    An IPv6 address that carries an IPv4 address (mapped, compatible, 6to4, NAT64, Teredo, ISATAP)
    never is: where it leads depends on the network that it is sent from.

    Args:
        address: an address as the resolver gives it, with a zone or without.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        return _is_public_v6(parsed)
    return _is_public_v4(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and address not in _RELAYS_OF_6TO4
    )


def _is_public_v6(address: IPv6Address) -> bool:
    return (
        address.is_global
        and address.scope_id is None
        and address in _GLOBAL_UNICAST_V6
        and not any(address in block for block in _SPECIAL_V6)
        and (int(address) >> 32) & 0xFFFF_FFFF not in _ISATAP
    )
