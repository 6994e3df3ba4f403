"""Connections to checked addresses: a name is resolved once, and what was checked is connected to.

A name that is resolved once for the check and again for the connection can change in between (DNS
rebinding); so the check is where the connection is made. TLS still proves the name.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import httpcore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Resolve = Callable[[str, int], Awaitable[list[str]]]
    IsAllowed = Callable[[str], bool]


class ForbiddenAddressError(httpcore.ConnectError):
    """A name leads to an address that may not be connected to."""


async def resolve(host: str, port: int) -> list[str]:
    """Returns the addresses of a name, in the resolver's order.

    Raises:
        OSError: there are none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to a name through an address that was checked.

    Args:
        is_allowed: whether an address may be connected to.
        resolve: finds the addresses of a name.
    """

    def __init__(self, is_allowed: IsAllowed, resolve: Resolve = resolve) -> None:
        self._is_allowed = is_allowed
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """See `httpcore.AsyncNetworkBackend.connect_tcp`.

        Raises:
            ForbiddenAddressError: one of the name's addresses may not be connected to. Not only the
                one that would be taken: a name that leads both ways is no accident.
            httpcore.ConnectError: none of them answers.
            httpcore.ConnectTimeout: not in time.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if not addresses or not all(map(self._is_allowed, addresses)):
            raise ForbiddenAddressError(f"{host} leads to {', '.join(addresses)}")
        return await self._network.connect_tcp(
            addresses[0], port, timeout, local_address, socket_options
        )
