"""Looks up where the servers of a pool are.

`host:port` is one server, whatever the name resolves to. `dns:///name:port` is one server for each
address of the name, as a headless service of Kubernetes lists its pods.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from gateway.triton_target import TritonTarget, address_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOOKUP_TIMEOUT_S: Final = 5.0


async def resolve(targets: Iterable[TritonTarget]) -> list[str]:
    """Returns the addresses of all targets, each once, as `host:port`.

    Raises:
        OSError: a name cannot be looked up now; `TimeoutError` is one.
    """
    found = await asyncio.gather(*(_addresses(each) for each in targets))
    return list(dict.fromkeys(address for addresses in found for address in addresses))


async def _addresses(target: TritonTarget) -> list[str]:
    if not target.is_name:
        return [address_of(target.host, target.port)]
    async with asyncio.timeout(_LOOKUP_TIMEOUT_S):
        found = await asyncio.get_running_loop().getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM
        )
    return sorted({address_of(str(sockaddr[0]), target.port) for *_, sockaddr in found})
