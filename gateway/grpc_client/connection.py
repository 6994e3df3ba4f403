"""One HTTP/2 connection to a gRPC server: its streams, flow control, and signs of life."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, cast

import grpc

from gateway.grpc_client import frames
from gateway.grpc_client.errors import ErrorCode, ProtocolError, RpcError, of_reset
from gateway.grpc_client.frames import Frame, FrameReader
from gateway.grpc_client.headers import MAX_BYTES, MAX_READ_BYTES, NO_TABLE, HeaderReader
from gateway.grpc_client.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_SENT_FRAME_BYTES: Final = 64 * 1024  # a large image must not keep small calls waiting
_WRITE_BUFFER_BYTES: Final = 1024 * 1024
_KEEPALIVE_S: Final = 10.0
_KEEPALIVE_TIMEOUT_S: Final = 2.0
_PING: Final = b"diptych?"
WINDOW_SLACK_BYTES: Final = 1024
"""Of a stream's window beyond the largest message: its prefix, padding, and so much of one that is
too large that it is noticed."""
_FIRST_STREAM: Final = 1
_OUT_OF_RANGE: Final = "a window out of range"
_CLOSE_TIMEOUT_S: Final = 1.0  # for a peer that does not read to take what was written


class Connection(asyncio.Protocol):
    """A connection. Must be made inside the event loop.

    A message that comes back fits into the window of its stream from the beginning, so only the
    window of the connection is ever filled up again.

    Args:
        max_received_bytes: of a message that comes back.
        keepalive_s: silence under a running call after which the peer is asked for a sign of life.

    Attributes:
        ready: done when the peer has said its settings; a `RpcError` when it is lost before.
    """

    def __init__(self, *, max_received_bytes: int, keepalive_s: float = _KEEPALIVE_S) -> None:
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self._max_received_bytes = max_received_bytes
        self._transport: asyncio.WriteTransport | None = None
        self._frames = FrameReader()
        self._headers = HeaderReader()
        self._block: _Block | None = None
        self._streams: dict[int, Stream] = {}
        self._waiting: deque[Stream] = deque()
        self._blocked: dict[int, Stream] = {}
        self._next_id = _FIRST_STREAM
        self._is_leaving = False
        self._can_write = True
        self._window = frames.DEFAULT_WINDOW
        self._stream_window = frames.DEFAULT_WINDOW
        self._frame_bytes = frames.DEFAULT_FRAME_BYTES
        self._max_streams = frames.MAX_STREAM_ID
        self._unacknowledged_bytes = 0
        self._keepalive_s = keepalive_s
        self._heard_s = self._loop.time()
        self._pinged_s: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._on: Mapping[int, Callable[[Frame], None]] = {
            frames.DATA: self._on_data,
            frames.HEADERS: self._on_headers,
            frames.RST_STREAM: self._on_reset,
            frames.SETTINGS: self._on_settings,
            frames.PUSH_PROMISE: self._on_push_promise,
            frames.PING: self._on_ping,
            frames.GOAWAY: self._on_goaway,
            frames.WINDOW_UPDATE: self._on_window_update,
            frames.CONTINUATION: self._on_continuation,
        }

    # --- calls -------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether it takes new calls."""
        return self._transport is not None and not self._is_leaving

    @property
    def is_over(self) -> bool:
        """Whether no call runs on it any more."""
        return self._transport is None

    def begin(self, head: bytes, message: Iterable[bytes]) -> Stream:
        """Begins a call; `end` must follow. It waits where the peer takes no more at a time."""
        stream = Stream(self._loop.create_future(), head, message, self._max_received_bytes)
        if len(self._streams) < self._max_streams and not self._waiting:
            self._open(stream)
        else:
            self._waiting.append(stream)
        return stream

    def end(self, stream: Stream) -> None:
        """Forgets a call; one that is not over is cancelled."""
        if stream.stream_id in self._streams:
            self._reset(stream, ErrorCode.CANCEL)
        elif stream.stream_id == 0 and stream in self._waiting:
            self._waiting.remove(stream)

    def close(self, reason: str, code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        """Ends the connection and all its calls."""
        if self._transport is not None:
            self._write(frames.goaway(code))
            self._transport.close()
            self._loop.call_later(_CLOSE_TIMEOUT_S, self._transport.abort)
        self._lose(reason)

    # --- asyncio -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Says who we are; the peer does the same without being asked."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.set_write_buffer_limits(_WRITE_BUFFER_BYTES)
        self._write(
            frames.PREFACE
            + frames.settings(
                (
                    (frames.ENABLE_PUSH, 0),
                    (frames.INITIAL_WINDOW_SIZE, self._max_received_bytes + WINDOW_SLACK_BYTES),
                    (frames.MAX_HEADER_LIST_SIZE, MAX_BYTES),
                )
            )
            + frames.window_update(frames.MAX_WINDOW - frames.DEFAULT_WINDOW)
        )
        self._watch = self._loop.call_later(self._keepalive_s, self._look_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails what was on its way."""
        self._lose(f"connection lost: {exc}" if exc else "the peer closed the connection")

    def pause_writing(self) -> None:
        """Leaves the rest of the messages where it is."""
        self._can_write = False

    def resume_writing(self) -> None:
        """Goes on with them."""
        self._can_write = True
        self._send_blocked()

    def data_received(self, data: bytes) -> None:
        """Reads frames; a peer that breaks the rules is told so and left."""
        self._heard_s = self._loop.time()
        try:
            for frame in self._frames.read(data):
                if self._block is not None and frame.kind != frames.CONTINUATION:
                    raise _broken("a header block that is interrupted")
                if (handler := self._on.get(frame.kind)) is not None:
                    handler(frame)
        except ProtocolError as error:
            self.close(f"the peer broke HTTP/2: {error}", error.code)

    # --- what is sent ------------------------------------------------------------------------

    def _open(self, stream: Stream) -> None:
        stream.stream_id, self._next_id = self._next_id, self._next_id + 2
        stream.window = self._stream_window
        self._streams[stream.stream_id] = stream
        block = stream.head if stream.stream_id > _FIRST_STREAM else NO_TABLE + stream.head
        head = frames.head(len(block), frames.HEADERS, frames.END_HEADERS, stream.stream_id)
        self._send(stream, [head, block])
        if self._next_id > frames.MAX_STREAM_ID:
            self._leave("all streams of the connection are spent")

    def _send(self, stream: Stream, pieces: list[bytes | memoryview]) -> None:
        """Writes what came before, and of the message what the peer takes now."""
        while stream.unsent and self._can_write:
            size = min(len(stream.unsent), self._window, stream.window, self._frame_bytes)
            if size <= 0:
                break
            piece, stream.unsent = stream.unsent[:size], stream.unsent[size:]
            self._window -= size
            stream.window -= size
            flags = 0 if stream.unsent else frames.END_STREAM
            pieces += (frames.head(size, frames.DATA, flags, stream.stream_id), piece)
        if pieces and self._transport is not None:
            self._transport.writelines(pieces)
        if stream.unsent:
            self._blocked[stream.stream_id] = stream
        else:
            self._blocked.pop(stream.stream_id, None)

    def _send_blocked(self) -> None:
        for stream in list(self._blocked.values()):
            self._send(stream, [])

    def _open_waiting(self) -> None:
        while self._waiting and self.is_open and len(self._streams) < self._max_streams:
            stream = self._waiting.popleft()
            if not stream.answer.done():  # it may have been cancelled together with another
                self._open(stream)

    def _reset(self, stream: Stream, code: ErrorCode) -> None:
        self._write(frames.reset(stream.stream_id, code))
        self._forget(stream)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    # --- what is received --------------------------------------------------------------------

    def _on_data(self, frame: Frame) -> None:
        self._unacknowledged_bytes += len(frame.payload)
        if self._unacknowledged_bytes > frames.MAX_WINDOW // 2:
            self._write(frames.window_update(self._unacknowledged_bytes))
            self._unacknowledged_bytes = 0
        data = frames.content(frame)
        is_end = bool(frame.flags & frames.END_STREAM)
        if (stream := self._stream(frame)) is not None:
            self._settle(stream, is_over=stream.take_data(data, is_end=is_end), is_end=is_end)

    def _on_headers(self, frame: Frame) -> None:
        block = _Block(frame, frames.content(frame))
        if frame.flags & frames.END_HEADERS:
            self._take_headers(block)
        else:
            self._block = block

    def _on_continuation(self, frame: Frame) -> None:
        block = self._block
        if block is None or block.first.stream_id != frame.stream_id:
            raise _broken("a header block that has no beginning")
        block.content += frame.payload
        if len(block.content) > MAX_READ_BYTES:
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, "a header block without end")
        if frame.flags & frames.END_HEADERS:
            self._block = None
            self._take_headers(block)

    def _take_headers(self, block: _Block) -> None:
        fields = self._headers.read(block.content)
        is_end = bool(block.first.flags & frames.END_STREAM)
        if (stream := self._stream(block.first)) is not None:
            self._settle(stream, is_over=stream.take_headers(fields, is_end=is_end), is_end=is_end)

    def _settle(self, stream: Stream, *, is_over: bool, is_end: bool) -> None:
        """Forgets a stream that is over; one that the peer still reads or writes is ended."""
        if not is_over:
            return
        if is_end and not stream.unsent:
            self._forget(stream)
        else:
            self._reset(stream, ErrorCode.CANCEL)

    def _on_reset(self, frame: Frame) -> None:
        code = frames.number(frame)
        if (stream := self._stream(frame)) is not None:
            stream.fail(of_reset(code))
            self._forget(stream)

    def _on_settings(self, frame: Frame) -> None:
        self._of_connection(frame)
        values = frames.values(frame)
        if frame.flags & frames.ACK:
            return
        for name, value in values:
            if name == frames.INITIAL_WINDOW_SIZE:
                if value > frames.MAX_WINDOW:
                    raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, f"a window of {value}")
                self._change_windows(value - self._stream_window)
                self._stream_window = value
            elif name == frames.MAX_FRAME_SIZE:
                if not frames.DEFAULT_FRAME_BYTES <= value <= frames.MAX_FRAME_BYTES:
                    raise _broken(f"frames of {value} bytes")
                self._frame_bytes = min(value, _SENT_FRAME_BYTES)
            elif name == frames.MAX_CONCURRENT_STREAMS:
                self._max_streams = value
        self._write(frames.settings_ack())
        if not self.ready.done():
            self.ready.set_result(None)
        self._open_waiting()
        self._send_blocked()

    def _on_push_promise(self, frame: Frame) -> None:
        raise _broken(f"a push on stream {frame.stream_id}, which was declined")

    def _on_ping(self, frame: Frame) -> None:
        self._of_connection(frame)
        payload = frames.opaque(frame)
        if not frame.flags & frames.ACK:
            self._write(frames.ping(payload, is_ack=True))

    def _on_goaway(self, frame: Frame) -> None:
        """Lets what the peer has taken go on; the rest it has not begun."""
        self._of_connection(frame)
        last_id, code = frames.last_stream(frame)
        self._is_leaving = True  # before a stream ends: none of those that wait may take its place
        reason = f"the peer closes the connection with code {code}"
        for stream in [each for each in self._streams.values() if each.stream_id > last_id]:
            stream.fail(RpcError(grpc.StatusCode.UNAVAILABLE, reason))
            self._forget(stream)
        self._leave(reason)

    def _on_window_update(self, frame: Frame) -> None:
        increment = frames.number(frame) & frames.MAX_WINDOW
        code = ErrorCode.FLOW_CONTROL_ERROR if increment else ErrorCode.PROTOCOL_ERROR
        if frame.stream_id == 0:
            self._window += increment
            if not increment or self._window > frames.MAX_WINDOW:
                raise ProtocolError(code, _OUT_OF_RANGE)
            self._send_blocked()
        elif (stream := self._stream(frame)) is not None:
            stream.window += increment
            if not increment or stream.window > frames.MAX_WINDOW:
                stream.fail(RpcError(grpc.StatusCode.INTERNAL, _OUT_OF_RANGE))
                self._reset(stream, code)
            elif stream.unsent:
                self._send(stream, [])

    def _change_windows(self, difference: int) -> None:
        for stream in self._streams.values():
            stream.window += difference
            if stream.window > frames.MAX_WINDOW:
                raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, _OUT_OF_RANGE)

    def _stream(self, frame: Frame) -> Stream | None:
        """Returns whose frame it is; None: of a call that is over.

        Raises:
            ProtocolError: nobody has opened that stream.
        """
        stream_id = frame.stream_id
        if (stream := self._streams.get(stream_id)) is not None:
            return stream
        if stream_id % 2 == 0 or stream_id >= self._next_id:
            raise _broken(f"a frame of type {frame.kind} on stream {stream_id}, which is not open")
        return None

    @staticmethod
    def _of_connection(frame: Frame) -> None:
        if frame.stream_id != 0:
            raise _broken(f"a frame of type {frame.kind} on stream {frame.stream_id}")

    # --- the end -----------------------------------------------------------------------------

    def _forget(self, stream: Stream) -> None:
        del self._streams[stream.stream_id]
        self._blocked.pop(stream.stream_id, None)
        if self._waiting:
            self._open_waiting()
        if self._is_leaving:
            self._leave_when_done()

    def _leave(self, reason: str) -> None:
        """Takes no new calls; the last that runs closes the connection."""
        self._is_leaving = True
        self._fail_waiting(reason)
        self._leave_when_done()

    def _leave_when_done(self) -> None:
        if not self._streams and self._transport is not None:
            self._transport.close()

    def _look_alive(self) -> None:
        """Asks a peer that is silent under a call for a sign of life, once, then gives it up.

        Without a call nothing is asked: Triton takes pings without data between for an attack.
        """
        now_s = self._loop.time()
        if self._pinged_s is not None and self._heard_s <= self._pinged_s:
            self._abort("no sign of life")
            return
        self._pinged_s = None
        due_s = self._heard_s + self._keepalive_s
        if due_s <= now_s and self._streams:
            self._pinged_s = now_s
            self._write(frames.ping(_PING, is_ack=False))
            due_s = now_s + _KEEPALIVE_TIMEOUT_S
        elif due_s <= now_s:
            due_s = now_s + self._keepalive_s
        self._watch = self._loop.call_at(due_s, self._look_alive)

    def _abort(self, reason: str) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._lose(reason)

    def _fail_waiting(self, reason: str) -> None:
        while self._waiting:
            self._waiting.popleft().fail(RpcError(grpc.StatusCode.UNAVAILABLE, reason))

    def _lose(self, reason: str) -> None:
        self._is_leaving = True
        self._transport = None
        if self._watch is not None:
            self._watch.cancel()
        error = RpcError(grpc.StatusCode.UNAVAILABLE, reason)
        if not self.ready.done():
            self.ready.set_exception(error)
        for stream in self._streams.values():
            stream.fail(RpcError(grpc.StatusCode.UNAVAILABLE, reason))
        self._streams.clear()
        self._blocked.clear()
        self._fail_waiting(reason)


class _Block:
    """A header block that may take more than one frame."""

    __slots__ = ("content", "first")

    def __init__(self, first: Frame, content: bytes) -> None:
        self.first = first
        self.content = content


def _broken(message: str) -> ProtocolError:
    return ProtocolError(ErrorCode.PROTOCOL_ERROR, message)
