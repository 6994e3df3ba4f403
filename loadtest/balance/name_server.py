"""A DNS server with one name and as many addresses as are ready, as a headless service has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from dnslib import QTYPE, RCODE, RR, A
from dnslib.server import DNSLogger, DNSServer

from loadtest.balance.own_network import NAME_SERVER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from dnslib import DNSRecord
    from dnslib.server import DNSHandler

NAME: Final = "demo-diptych-triton-cpu.serving.svc.cluster.local"
_PORT: Final = 53
_TTL_S: Final = 5  # CoreDNS' for services of a cluster


class NameServer:
    """Answers from entry to exit, in a thread of its own.

    Args:
        addresses: of the name.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = tuple(addresses)
        quiet = DNSLogger(logf=lambda _: None)
        self._server = DNSServer(self, address=NAME_SERVER, port=_PORT, logger=quiet)

    def list_only(self, addresses: Sequence[str]) -> None:
        """Gives these addresses from now on."""
        self._addresses = tuple(addresses)

    def resolve(self, request: DNSRecord, _handler: DNSHandler) -> DNSRecord:
        """Answers one question; the library calls it."""
        reply = request.reply()
        if str(request.q.qname).rstrip(".") != NAME:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            for each in self._addresses:
                reply.add_answer(RR(request.q.qname, QTYPE.A, ttl=_TTL_S, rdata=A(each)))
        return reply

    def __enter__(self) -> Self:
        """Begins to answer."""
        self._server.start_thread()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends."""
        self._server.stop()
        self._server.server.server_close()
