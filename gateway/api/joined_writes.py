"""Sends the head of an answer together with its body: one system call, one packet, one wake-up.

ASGI hands over the two apart and uvicorn (0.54) writes each at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class JoinedWrites:
    """Stands for a connection's transport where answers are written.

    What is written waits for the next write, at most until the event loop comes round: a body
    that comes later finds its head sent.

    Args:
        transport: of the connection.
        loop: that it belongs to.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self._flush: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Writes, or holds what is to be written with the next."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
            self._transport.write(self._held + data)
        elif data:
            self._held = data
            self._flush = self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Writes what is held."""
        if self._flush is not None:
            self.write(b"")

    def close(self) -> None:
        """Ends the connection when all is written."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection has ended or is about to."""
        return self._transport.is_closing()
