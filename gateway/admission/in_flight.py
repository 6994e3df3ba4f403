"""A bound on the requests in flight, REST and gRPC together: the backstop against pile-ups."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class InFlightLimit:
    """Counts requests in flight and refuses those above the limit.

    Used as a context manager around a request, within one event loop.

    Args:
        max_concurrency: most requests inside at once.
        on_change: called with the new count whenever it changes.
    """

    def __init__(self, max_concurrency: int, on_change: Callable[[int], None]) -> None:
        self._max_concurrency = max_concurrency
        self._on_change = on_change
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def count(self) -> int:
        """Requests inside now."""
        return self._count

    async def wait_until_idle(self) -> None:
        """Returns when no request is inside."""
        await self._idle.wait()

    def __enter__(self) -> None:
        """Lets one request in.

        Raises:
            OverloadedError: the limit is reached.
        """
        if self._count >= self._max_concurrency:
            raise OverloadedError
        self._count += 1
        self._idle.clear()
        self._on_change(self._count)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Lets it out."""
        self._count -= 1
        if self._count == 0:
            self._idle.set()
        self._on_change(self._count)
