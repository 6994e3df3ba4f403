"""The connections of the HTTP server: how many there may be, and which go first.

A connection costs little while it waits for a request, so what waits is kept; but when there are as
many as there may be, a new one takes the place of the one that has waited longest. So clients that
open connections and send nothing, or a head that never ends, push out each other and not those who
ask at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class ConnectionEnd(StrEnum):
    """Why the server ended a connection by itself."""

    HEAD_LATE = "head_late"
    HEAD_TOO_LARGE = "head_too_large"
    BODY_LATE = "body_late"
    BODY_UNWANTED = "body_unwanted"
    ANSWER_NOT_READ = "answer_not_read"
    IDLE = "idle"
    MADE_WAY = "made_way"
    NO_ROOM = "no_room"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may take.

    Attributes:
        max_connections: open at the same time.
        max_head_bytes: request line and headers together.
        head_timeout_s: from the first byte of a head, or from the connection, to the head's end;
            and for a client to read what it is sent.
        body_timeout_s: from there to the body's end.
        idle_timeout_s: from an answer to the next request.
        max_headers: of one request.
        max_unwanted_bytes: of a body that still comes after the answer, and is dropped.
    """

    max_connections: int
    max_head_bytes: int
    head_timeout_s: float
    body_timeout_s: float
    idle_timeout_s: float
    max_headers: int = 100
    max_unwanted_bytes: int = 64 * 1024 * 1024

    @property
    def shortest_timeout_s(self) -> float:
        """The least of what a connection may be waited for."""
        return min(self.head_timeout_s, self.body_timeout_s, self.idle_timeout_s)


class ConnectionObserver(Protocol):
    """Where connections are counted; `telemetry.metrics.Metrics` is one."""

    def set_connections(self, count: int) -> None:
        """Shows how many there are."""

    def count_connection_end(self, reason: str) -> None:
        """Counts one that the server ended."""


class Connections:
    """All connections of a process, and those among them that wait for a request.

    Args:
        limits: of their number.
        observer: is shown the counts.
    """

    def __init__(self, limits: ConnectionLimits, observer: ConnectionObserver) -> None:
        self.limits = limits
        self._observer = observer
        self._open: set[object] = set()
        self._waiting: dict[object, Callable[[], None]] = {}  # longest first

    def enter(self, connection: object) -> bool:
        """Takes a new connection in.

        Returns:
            Whether there is room, be it that another made way.
        """
        if len(self._open) >= self.limits.max_connections and not self._make_way():
            self.count_end(ConnectionEnd.NO_ROOM)
            return False
        self._open.add(connection)
        self._observer.set_connections(len(self._open))
        return True

    def leave(self, connection: object) -> None:
        """Forgets a connection that is closed."""
        self._waiting.pop(connection, None)
        self._open.discard(connection)
        self._observer.set_connections(len(self._open))

    def wait(self, connection: object, close: Callable[[], None]) -> None:
        """Hears that a connection waits for a request.

        Args:
            connection: that was taken in.
            close: ends it at once.
        """
        self._waiting[connection] = close

    def busy(self, connection: object) -> None:
        """Hears that the head of a request is complete."""
        self._waiting.pop(connection, None)

    def count_end(self, reason: ConnectionEnd) -> None:
        """Counts a connection that the server ended."""
        self._observer.count_connection_end(reason)

    def _make_way(self) -> bool:
        for connection, close in self._waiting.items():
            self.count_end(ConnectionEnd.MADE_WAY)
            self.leave(connection)
            close()
            return True
        return False
