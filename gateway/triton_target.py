"""Where a Triton is, as an operator writes it: `host:port`, or `dns:///name:port` for many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from gateway.start_errors import EndpointAddressError

_DNS: Final = "dns:///"


@dataclass(frozen=True, slots=True)
class TritonTarget:
    """One entry of the settings.

    Attributes:
        host: name or address; an IPv6 address without its brackets.
        port: of Triton's gRPC.
        is_name: whether each address of the name is a server of its own.
    """

    host: str
    port: int
    is_name: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `host:port` or `dns:///name:port`.

        Raises:
            EndpointAddressError: it is neither.
        """
        is_name = text.startswith(_DNS)
        host, _, port = text.removeprefix(_DNS).rpartition(":")
        is_bracketed = host.startswith("[") and host.endswith("]")
        host = host[1:-1] if is_bracketed else host
        has_port = port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535
        if not host or not has_port or "/" in host or (":" in host and not is_bracketed):
            raise EndpointAddressError(text)
        return cls(host, int(port), is_name)


def address_of(host: str, port: int) -> str:
    """Returns `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
