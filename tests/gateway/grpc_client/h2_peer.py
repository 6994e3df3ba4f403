"""A server that holds its client to the rules: what h2 does not accept fails the test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingReceived,
    RequestReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from tests.gateway.grpc_client.listening import Listener

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from h2.errors import ErrorCodes

Fields = list[tuple[bytes, bytes]]
OK_HEADERS: Fields = [(b":status", b"200"), (b"content-type", b"application/grpc")]
OK_TRAILERS: Fields = [(b"grpc-status", b"0")]


class PeerCall:
    """A stream as the server sees it.

    Attributes:
        fields: the request's headers.
        received: of its message, with prefix.
        has_ended: the client has sent all.
        reset_code: with which the client has ended it.
    """

    def __init__(self, connection: PeerConnection, stream_id: int, fields: Fields) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.fields = dict(fields)
        self.received = bytearray()
        self.sizes: list[int] = []
        self.has_ended = False
        self.reset_code: int | None = None

    async def until(self, holds: Callable[[], bool]) -> None:
        await self.connection.peer.news.until(holds)

    async def until_received(self, size: int) -> None:
        await self.until(lambda: len(self.received) >= size)

    async def until_ended(self) -> None:
        await self.until(lambda: self.has_ended)

    def send_headers(self, fields: Sequence[tuple[bytes, bytes]], *, is_end: bool = False) -> None:
        self.connection.h2.send_headers(self.stream_id, fields, end_stream=is_end)
        self.connection.flush()

    async def send_data(
        self, data: bytes, *, pad_bytes: int | None = None, is_end: bool = False
    ) -> None:
        """Sends it as fast as the client's windows let it."""
        h2 = self.connection.h2
        around = 0 if pad_bytes is None else pad_bytes + 1
        start = 0
        while True:
            await self.until(lambda: h2.local_flow_control_window(self.stream_id) > around)
            size = min(
                len(data) - start,
                h2.local_flow_control_window(self.stream_id) - around,
                h2.max_outbound_frame_size - around,
            )
            piece, start = data[start : start + size], start + size
            is_last = start == len(data)
            h2.send_data(self.stream_id, piece, end_stream=is_end and is_last, pad_length=pad_bytes)
            self.connection.flush()
            if is_last:
                return

    def reset(self, code: ErrorCodes) -> None:
        self.connection.h2.reset_stream(self.stream_id, code)
        self.connection.flush()

    def give(self, *, stream_bytes: int = 0, connection_bytes: int = 0) -> None:
        """Gives credit."""
        if stream_bytes:
            self.connection.h2.increment_flow_control_window(stream_bytes, self.stream_id)
        if connection_bytes:
            self.connection.h2.increment_flow_control_window(connection_bytes)
        self.connection.flush()


Answer = Callable[[PeerCall], Awaitable[None]]


async def echo(call: PeerCall) -> None:
    await call.until_ended()
    await send_ok(call, bytes(call.received))


async def send_ok(call: PeerCall, message: bytes) -> None:
    """Answers with a message, which has its prefix already."""
    call.send_headers(OK_HEADERS)
    await call.send_data(message)
    call.send_headers(OK_TRAILERS, is_end=True)


class PeerConnection:
    """A connection as the server sees it.

    Attributes:
        pings: how many the client has sent.
        acknowledged: how many of our settings it has confirmed.
        goaway_code: with which the client has taken its leave.
        is_closed: by the client.
    """

    def __init__(self, peer: H2Peer, writer: asyncio.StreamWriter) -> None:
        self.peer = peer
        self.writer = writer
        self.calls: dict[int, PeerCall] = {}
        self.pings = 0
        self.acknowledged = 0
        self.goaway_code: int | None = None
        self.is_closed = False
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        # In force from the start: the client sends no request before it knows them.
        self.h2.local_settings = Settings(client=False, initial_values=dict(peer.settings))
        self.h2.max_inbound_frame_size = self.h2.local_settings.max_frame_size
        self.h2.decoder.max_allowed_table_size = self.h2.local_settings.header_table_size
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def change_settings(self, settings: dict[int, int]) -> None:
        self.h2.update_settings(settings)
        self.flush()

    def go_away(self, last_stream_id: int, code: int = 0) -> None:
        """Says it past h2, which sends nothing more once it has."""
        self.writer.write(GoAwayFrame(0, last_stream_id, code).serialize())

    def hear(self, received: bytes) -> None:
        for event in self.h2.receive_data(received):
            self._on(event)
        self.flush()
        self.peer.news.tell()

    def _on(self, event: Event) -> None:
        match event:
            case RequestReceived():
                call = PeerCall(self, event.stream_id, list(event.headers))
                self.calls[event.stream_id] = call
                self.peer.calls.append(call)
                self.peer.spawn(self.peer.run(call))
            case DataReceived():
                call = self.calls[event.stream_id]
                call.received += event.data
                call.sizes.append(len(event.data))
                if self.peer.gives_credit:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case StreamEnded():
                self.calls[event.stream_id].has_ended = True
            case StreamReset():
                self.calls[event.stream_id].reset_code = int(event.error_code)
            case PingReceived():
                self.pings += 1
            case SettingsAcknowledged():
                self.acknowledged += 1
            case ConnectionTerminated():
                self.goaway_code = int(event.error_code or 0)
            case _:
                pass


class H2Peer(Listener):
    """The server.

    Args:
        answer: is run for every call as soon as its headers are there.
        settings: of HTTP/2, in force from the start.
        gives_credit: received bytes are given back to the windows at once.
        port: 0: any that is free.

    Attributes:
        connections: all that were ever made.
        calls: all that were ever received.
    """

    def __init__(
        self,
        answer: Answer = echo,
        *,
        settings: Mapping[SettingCodes, int] | None = None,
        gives_credit: bool = True,
        port: int = 0,
    ) -> None:
        super().__init__(port)
        self.answer = answer
        self.settings: Mapping[SettingCodes, int] = settings or {}
        self.gives_credit = gives_credit
        self.connections: list[PeerConnection] = []
        self.calls: list[PeerCall] = []

    async def until_received(self, size: int) -> None:
        """Waits until all calls together have brought so many bytes."""
        await self.news.until(lambda: sum(len(each.received) for each in self.calls) >= size)

    async def run(self, call: PeerCall) -> None:
        await self.answer(call)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = PeerConnection(self, writer)
        self.connections.append(connection)
        try:
            while received := await reader.read(256 * 1024):
                connection.hear(received)
        finally:
            connection.is_closed = True
            self.news.tell()
