"""Notices that the client of a request went away, and cancels what is done for it.

The protocol of the connection knows; asking for the next ASGI message would need a task a request.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from gateway.errors import ClientDisconnectedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from starlette.requests import Request

DEPARTURE_KEY: Final = "diptych.departure"
"""Key of the ASGI scope: the `Departure` of the request's connection."""


class Departure:
    """The end of one connection. Its requests are answered one after the other.

    Attributes:
        is_over: whether the connection is lost.
        on_lost: called when it is, while a request wants to know.
    """

    __slots__ = ("is_over", "on_lost")

    def __init__(self) -> None:
        self.is_over = False
        self.on_lost: Callable[[], None] | None = None

    def happen(self) -> None:
        """Hears that the connection is lost."""
        self.is_over = True
        if self.on_lost is not None:
            self.on_lost()


class CancelOnDisconnect:
    """Cancels the work within when the client goes away: Triton then drops what is still queued.

    Raises:
        ClientDisconnectedError: on entry, when it is gone already; on leaving, when it went.
    """

    def __init__(self, request: Request) -> None:
        self._departure: Departure = request.scope[DEPARTURE_KEY]
        self._worker: asyncio.Task[object] | None = None
        self._is_gone = False

    def __enter__(self) -> None:
        """Begins to watch."""
        if self._departure.is_over:
            raise ClientDisconnectedError
        self._worker = asyncio.current_task()
        self._departure.on_lost = self._cancel

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops to watch."""
        self._departure.on_lost = None
        if self._is_gone and self._worker is not None:
            self._worker.uncancel()
            raise ClientDisconnectedError from None

    def _cancel(self) -> None:
        if self._worker is not None:
            self._is_gone = True
            self._worker.cancel()
