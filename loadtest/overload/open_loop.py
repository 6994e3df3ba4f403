"""Open-loop callers in one thread: requests leave when they are due, whatever came back so far.

Latency counts from the due time, so that a client that is late itself does not flatter the server.
Raw sockets, epoll, requests built beforehand; connections are kept alive and opened as needed. That
costs about 0.1 ms of CPU a request, which the figures of a run show: it is small beside the 25 ms
of a classification, and it is not taken off.
"""

from __future__ import annotations

import random
import select
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from loadtest.bench.errors import ServerUnreachableError
from loadtest.bench.http_messages import MalformedAnswerError, parse_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from loadtest.bench.load import Server

NO_ANSWER: Final = 0
"""Status of a request that got none: its connection broke, or nothing came in time."""

_RECEIVE_BYTES: Final = 65_536
_SEND_BUFFER_BYTES: Final = 262_144
_CONNECT_TIMEOUT_S: Final = 5.0
_PATIENCE_S: Final = 5.0  # after the last request was due
_MAX_CONNECTIONS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time of constant mean rate; arrivals are a Poisson process."""

    rate_rps: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one request.

    Attributes:
        due_s: when it was due, from the begin of the run, in seconds.
        latency_s: from then to its answer.
        status: HTTP status; a 200 without a label of the variant is `NO_ANSWER`.
        code: of a problem, which says why; else empty.
    """

    due_s: float
    latency_s: float
    status: int
    code: str = ""


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    due_s: float = 0.0
    received: bytearray = field(default_factory=bytearray)


class OpenLoop:
    """Sends on a schedule; a context manager that owns its connections."""

    def __init__(self, server: Server) -> None:
        """Prepares; nothing is sent before `run`.

        Args:
            server: where to send what.
        """
        self._server = server
        self._epoll = select.epoll()
        self._busy: dict[int, _Connection] = {}
        self._idle: list[_Connection] = []
        self._sent = 0
        self._replies: list[Reply] = []

    def __enter__(self) -> Self:
        """Does nothing; connections are opened as needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes all connections."""
        for each in (*self._busy.values(), *self._idle):
            each.socket.close()
        self._epoll.close()

    def run(self, stretches: Sequence[Stretch], seed: int = 0) -> list[Reply]:
        """Sends all that is due in the stretches, one after the other, and awaits the answers.

        Args:
            stretches: of the schedule.
            seed: of the arrivals.

        Raises:
            ServerUnreachableError: the server does not accept connections.
        """
        self._replies = []
        begun_s = time.perf_counter()
        now_s = 0.0
        for due_s in arrivals(stretches, seed):
            while (now_s := time.perf_counter() - begun_s) < due_s:
                self._receive_ready(due_s - now_s, begun_s)
            self._send(due_s)
        end_s = time.perf_counter() - begun_s + _PATIENCE_S
        while self._busy and now_s < end_s:
            self._receive_ready(end_s - now_s, begun_s)
            now_s = time.perf_counter() - begun_s
        for each in list(self._busy.values()):
            self._lose(each, now_s)
        return self._replies

    def _send(self, due_s: float) -> None:
        if self._idle:
            connection = self._idle.pop()
        elif len(self._busy) < _MAX_CONNECTIONS:
            connection = self._connect()
        else:
            self._replies.append(Reply(due_s, _PATIENCE_S, NO_ANSWER))
            return
        requests = self._server.requests
        connection.due_s = due_s
        self._busy[connection.socket.fileno()] = connection
        # A connection that breaks here is reported by epoll, and `_receive` counts it.
        with suppress(OSError):
            connection.socket.sendall(requests[self._sent % len(requests)])
        self._sent += 1

    def _connect(self) -> _Connection:
        try:
            opened = socket.create_connection(self._server.address, _CONNECT_TIMEOUT_S)
        except OSError as error:
            raise ServerUnreachableError(self._server.address, str(error)) from error
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A whole request fits: sending one never waits, and so never delays the next.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._epoll.register(opened.fileno(), select.EPOLLIN)
        return _Connection(opened)

    def _receive_ready(self, timeout_s: float, begun_s: float) -> None:
        for descriptor, _ in self._epoll.poll(timeout_s):
            if (connection := self._busy.get(descriptor)) is not None:
                self._receive(connection, begun_s)
            else:
                self._drop_idle(descriptor)

    def _receive(self, connection: _Connection, begun_s: float) -> None:
        try:
            data = connection.socket.recv(_RECEIVE_BYTES)
            connection.received += data
            answer = parse_answer(bytes(connection.received)) if data else None
        except (OSError, MalformedAnswerError):
            data, answer = b"", None
        now_s = time.perf_counter() - begun_s
        if not data:
            self._lose(connection, now_s)
        if answer is None:
            return
        status, code = answer.status, ""
        if status != 200:
            code = answer.code or ""
        elif answer.label not in self._server.labels:
            status = NO_ANSWER
        self._replies.append(Reply(connection.due_s, now_s - connection.due_s, status, code))
        connection.received.clear()
        self._idle.append(self._busy.pop(connection.socket.fileno()))

    def _lose(self, connection: _Connection, now_s: float) -> None:
        self._replies.append(Reply(connection.due_s, now_s - connection.due_s, NO_ANSWER))
        del self._busy[connection.socket.fileno()]
        connection.socket.close()

    def _drop_idle(self, descriptor: int) -> None:
        """Forgets a connection that the server closed while nothing was under way on it."""
        for each in [each for each in self._idle if each.socket.fileno() == descriptor]:
            self._idle.remove(each)
            each.socket.close()


def arrivals(stretches: Sequence[Stretch], seed: int) -> Iterator[float]:
    """Yields the times of a Poisson process, in seconds from its begin."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, no secret
    begin_s = 0.0
    for stretch in stretches:
        end_s = begin_s + stretch.duration_s
        at_s = begin_s + chance.expovariate(stretch.rate_rps)
        while at_s < end_s:
            yield at_s
            at_s += chance.expovariate(stretch.rate_rps)
        begin_s = end_s
