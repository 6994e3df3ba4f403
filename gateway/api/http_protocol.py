"""Uvicorn's HTTP protocol, with the moments it does not note and the limits it does not hold.

A deadline counts from the first byte of a request's head. And whoever sends slowly, not at all, too
much, or does not read, gets an end: uvicorn (0.54) limits neither heads nor the time until a head
or a body is complete, nor that in which an answer is read.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.api.connections import ConnectionEnd, Connections
from gateway.api.countdown import Countdown
from gateway.api.departure import DEPARTURE_KEY, Departure
from gateway.api.joined_writes import JoinedWrites
from gateway.api.problems import MEDIA_TYPE, to_problem
from gateway.api.upload import UPLOAD_KEY, Upload
from gateway.errors import GatewayError, HeadTooLargeError, OverloadedError, RequestTimeoutError

if TYPE_CHECKING:
    import asyncio

ARRIVED_KEY: Final = "diptych.arrived_s"
"""Key of the ASGI scope: when the first byte of the head was read, by `time.perf_counter`."""

_MAX_WAITING_BYTES: Final = 256 * 1024  # of a body that the application has not asked for yet


class GuardedHttpProtocol(HttpToolsProtocol):
    """One connection.

    Args:
        connections: all of the process, and the limits.
        **given: by uvicorn.
    """

    def __init__(self, connections: Connections, **given: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(**given)
        self._all = connections
        self._limits = connections.limits
        # With the head, the body or the next request.
        self._patience: Countdown[ConnectionEnd] = Countdown(
            self.loop, self._limits.shortest_timeout_s, self._end
        )
        self._write_timer: asyncio.TimerHandle | None = None
        self._is_in_head = True
        self._head_bytes = 0
        self._unwanted_bytes = 0
        self._departure = Departure()
        self._upload = Upload()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called once, first."""
        super().connection_made(transport)
        self._joined = JoinedWrites(transport, self.loop)
        if not self._all.enter(self):
            self._refuse(OverloadedError())
            return
        self._all.wait(self, transport.abort)
        self._patience.start(self._limits.head_timeout_s, ConnectionEnd.HEAD_LATE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called once, last."""
        self._all.leave(self)
        self._patience.close()
        self.resume_writing()
        super().connection_lost(exc)
        self._departure.happen()

    def data_received(self, data: bytes) -> None:
        """Called with what has arrived."""
        if self.transport.is_closing():
            return
        self._head_bytes += len(data) if self._is_in_head else 0
        super().data_received(data)
        if self._is_in_head and self._head_bytes > self._limits.max_head_bytes:
            self._refuse_head("bytes", self._limits.max_head_bytes)

    def on_message_begin(self) -> None:
        """Called by the parser with the first byte of a request."""
        super().on_message_begin()
        if not self._is_in_head:  # it follows another without a pause
            self._is_in_head, self._head_bytes = True, 0
        self._patience.start(self._limits.head_timeout_s, ConnectionEnd.HEAD_LATE)
        self._upload = Upload()
        self.scope[ARRIVED_KEY] = time.perf_counter()  # type: ignore[typeddict-unknown-key]
        self.scope[UPLOAD_KEY] = self._upload  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        """Called by the parser after the head; from here on the application runs."""
        self._is_in_head = False
        head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if self.transport.is_closing():
            return
        if len(self.headers) > self._limits.max_headers:
            self._refuse_head("headers", self._limits.max_headers)
        elif head_bytes > self._limits.max_head_bytes:
            self._refuse_head("bytes", self._limits.max_head_bytes)
        else:
            self._all.busy(self)
            self._patience.start(self._limits.body_timeout_s, ConnectionEnd.BODY_LATE)
            self.scope[DEPARTURE_KEY] = self._departure  # type: ignore[typeddict-unknown-key]
            super().on_headers_complete()
            self.cycle.transport = self._joined  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        """Called by the parser with a part of the body; after the answer it is dropped.

        In place of uvicorn's (0.54): a body that came at once is not copied, and more than 64 KB
        may wait to be read, as many photos are larger, and to stop and go on costs system calls.
        """
        cycle = self.cycle
        if cycle is None or self.transport.is_closing():
            return
        if cycle.response_complete:
            self._unwanted_bytes += len(body)
            if self._unwanted_bytes > self._limits.max_unwanted_bytes:
                self._end(ConnectionEnd.BODY_UNWANTED)
            return
        waiting: bytes | bytearray = cycle.body
        if waiting:
            cycle.body = waiting if isinstance(waiting, bytearray) else bytearray(waiting)
            cycle.body += body
        else:
            cycle.body = body  # type: ignore[assignment]
        if len(cycle.body) > _MAX_WAITING_BYTES:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Called by the parser after the last byte of a request."""
        if self.cycle is None or self.transport.is_closing():
            return
        super().on_message_complete()
        self._upload.is_complete = True
        self._patience.stop()
        if self.cycle.response_complete:
            self._await_next()

    def on_response_complete(self) -> None:
        """Called when the last byte of an answer was handed to the transport.

        In place of uvicorn's (0.54), which winds a clock of its own for the next request.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self.cycle.response_complete and not self.cycle.more_body:
            # The latest request's: another may have come meanwhile, or this one's body still comes.
            self._await_next()

    def pause_writing(self) -> None:
        """Called when the client reads slower than is written."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(
                self._limits.head_timeout_s, self._end, ConnectionEnd.ANSWER_NOT_READ
            )

    def resume_writing(self) -> None:
        """Called when it has read."""
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        if self.flow is not None:
            super().resume_writing()

    def _await_next(self) -> None:
        self._unwanted_bytes = 0
        self._is_in_head, self._head_bytes = True, 0
        self._all.wait(self, self.transport.abort)
        self._patience.start(self._limits.idle_timeout_s, ConnectionEnd.IDLE)

    def _end(self, reason: ConnectionEnd) -> None:
        """Ends the connection, with a word where the client may still hear it."""
        if self.transport.is_closing():
            return
        self._all.count_end(reason)
        if reason is ConnectionEnd.HEAD_LATE and self._head_bytes:
            self._refuse(RequestTimeoutError("head", self._limits.head_timeout_s))
        elif reason is ConnectionEnd.BODY_LATE and not self.cycle.response_started:
            self.cycle.disconnected = True  # what the application would answer is no longer sent
            self.cycle.message_event.set()
            self._refuse(RequestTimeoutError("body", self._limits.body_timeout_s))
        elif reason is ConnectionEnd.IDLE:
            self.transport.close()
        else:
            self.transport.abort()

    def _refuse_head(self, what: str, limit: int) -> None:
        self._all.count_end(ConnectionEnd.HEAD_TOO_LARGE)
        self._refuse(HeadTooLargeError(what, limit))

    def _refuse(self, error: GatewayError) -> None:
        """Answers in place of the application, and closes."""
        self._patience.close()
        problem = to_problem(error, uuid.uuid4().hex)
        body = json.dumps(problem.to_json()).encode()
        head = [
            STATUS_LINE[problem.kind.status],
            f"content-type: {MEDIA_TYPE}\r\n".encode(),
            b"content-length: %d\r\nconnection: close\r\n" % len(body),
        ]
        if problem.retry_after_s is not None:
            head.append(b"retry-after: %d\r\n" % problem.retry_after_s)
        self.transport.write(b"".join((*head, b"\r\n", body)))
        self.transport.close()
