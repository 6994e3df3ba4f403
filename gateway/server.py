"""Runs the HTTP and the gRPC server in one event loop, and ends both without losing a request.

On SIGTERM or SIGINT readiness goes off. For `drain_delay_s` requests are still answered, each
closing its connection, so that balancers and clients go elsewhere. Then nothing more is accepted,
what is in flight is answered within `drain_timeout_s`, and the process ends with 0. A second signal
ends it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import uvicorn

from gateway.api.connections import Connections
from gateway.api.http_protocol import GuardedHttpProtocol
from gateway.app import create_app, create_grpc_server
from gateway.collaborators import Collaborators, make_collaborators
from gateway.identity.exposure import first_keys, is_loopback
from gateway.identity.keys_watch import follow_api_keys
from gateway.listening import bind, bind_beside
from gateway.receipts.keys_watch import follow_receipt_keys
from gateway.telemetry.logs import log_event
from gateway.triton.grpc_backend import TritonBackend

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from gateway.api.grpc_server import GrpcServer
    from gateway.settings import Settings
    from gateway.worker_place import WorkerPlace

_LOG: Final = logging.getLogger(__name__)
_LAST_READ_S: Final = 0.1
_TICK_S: Final = 1.0
_GC_OBJECTS: Final = 20_000
"""New objects after which the collector looks; at Python's 700 it looks during each request, and
finds nothing, for what a request makes ends with it."""


class _HttpServer(uvicorn.Server):
    """Uvicorn without its own signal handling, which would end the process by the signal.

    Args:
        config: of uvicorn.
        protocol: makes the protocol of one connection.
    """

    def __init__(self, config: uvicorn.Config, protocol: Callable[..., asyncio.Protocol]) -> None:
        super().__init__(config)
        self._protocol = protocol
        self._ending = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to `serve`."""
        yield

    def end(self) -> None:
        """Lets `serve` drain and return."""
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        """Keeps the date of answers; uvicorn's own loop wakes ten times a second for it."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops to accept, then gives requests already on their way the time to be read.

        The kernel resets connections that wait to be accepted when the last descriptor of their
        socket closes; and uvicorn closes idle connections in the same step in which it stops to
        accept, so a request whose bytes had arrived but were not yet read would be lost.
        """
        kept = [each.dup() for each in sockets or []]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)  # in which the event loop lets go of the sockets
        for each in kept:
            await self._accept_waiting(each)
        await asyncio.sleep(_LAST_READ_S)
        await super().shutdown(sockets)

    async def _accept_waiting(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        with listener, contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = listener.accept()
                connection.setblocking(False)
                await loop.connect_accepted_socket(self._make_protocol, connection)

    def _make_protocol(self) -> asyncio.Protocol:
        """Makes the protocol of one connection as uvicorn (0.54) does."""
        return self._protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the servers listen; differs from the settings where those say 0."""

    http: int
    grpc: int


async def serve(settings: Settings) -> None:
    """Serves until a signal.

    Raises:
        BindError: an address is taken or not ours.
    """
    await serve_until(stop_on_signals(), settings, _log_started)


async def serve_until(
    stop: asyncio.Event,
    settings: Settings,
    on_started: Callable[[Ports], None],
    place: WorkerPlace | None = None,
) -> None:
    """Serves until `stop` is set, then drains and returns.

    Args:
        stop: ends it.
        settings: of the process.
        on_started: called once, when both servers accept.
        place: of this process among the workers of a pod; None: it is alone.

    Raises:
        StartError: the keys cannot be used, or an address is taken or not ours.
    """
    keys = first_keys(settings.api_keys_file, settings.http_host, settings.grpc_host)
    parts = make_collaborators(
        settings,
        partial(
            TritonBackend,
            max_request_bytes=settings.max_image_bytes + 4 * settings.max_text_chars,
        ),
        keys,
        place,
    )
    try:
        with _http_socket(settings, place) as http_socket:
            await _run_servers(stop, parts, http_socket, on_started)
    finally:
        await parts.shadows.close()
        await parts.watching.close()
        await parts.watch.close()
        if parts.image_fetcher is not None:
            await parts.image_fetcher.close()
        await parts.feedback.close()
        if parts.database is not None:
            await parts.database.close()
        await parts.tracer.close()


def _http_socket(settings: Settings, place: WorkerPlace | None) -> socket.socket:
    if place is None:
        return bind(settings.http_host, settings.http_port)
    return bind_beside(settings.http_host, place.http_port)


async def _run_servers(
    stop: asyncio.Event,
    parts: Collaborators,
    http_socket: socket.socket,
    on_started: Callable[[Ports], None],
) -> None:
    settings = parts.settings
    http_server = _http_server(create_app(parts), parts)
    grpc_server = create_grpc_server(parts)
    ports = Ports(
        http=http_socket.getsockname()[1],
        grpc=grpc_server.bind(
            settings.grpc_host, parts.place.grpc_port if parts.place else settings.grpc_port
        ),
    )
    await parts.watch.start()
    await parts.traffic.start()
    # What was made so far lives as long as the process; the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_OBJECTS)
    async with asyncio.TaskGroup() as tasks:
        polling = tasks.create_task(parts.watch.run())
        watched = parts.watching.start(tasks)
        watching = tasks.create_task(_watch_keys(parts))
        watching_receipts = tasks.create_task(_watch_receipt_keys(parts))
        watching_quality = tasks.create_task(parts.watch_quality())
        following = tasks.create_task(parts.traffic.run(parts.show_gated_arms))
        ramping = tasks.create_task(_lead_ramps(parts))
        mirroring = tasks.create_task(grpc_server.mirror_readiness())
        serving = tasks.create_task(http_server.serve(sockets=[http_socket]))
        await grpc_server.start()
        on_started(ports)
        await stop.wait()
        await _drain(parts, http_server, serving, grpc_server)
        polling.cancel()
        watching.cancel()
        watching_receipts.cancel()
        watching_quality.cancel()
        following.cancel()
        ramping.cancel()
        mirroring.cancel()
        if watched is not None:
            watched.cancel()
    log_event(_LOG, logging.INFO, "stopped")


async def _watch_keys(parts: Collaborators) -> None:
    settings = parts.settings
    if settings.api_keys_file is None:
        return
    is_exposed = not (is_loopback(settings.http_host) and is_loopback(settings.grpc_host))
    watch = follow_api_keys(
        settings.api_keys_file, parts.entrance.key_ring, parts.metrics, is_exposed=is_exposed
    )
    await watch.run()


async def _watch_receipt_keys(parts: Collaborators) -> None:
    if (path := parts.settings.receipt_keys_file) is not None:
        await follow_receipt_keys(path, parts.receipts, parts.metrics.feedback).run()


async def _lead_ramps(parts: Collaborators) -> None:
    if parts.ramps is not None:
        await parts.ramps.run()


def _log_started(ports: Ports) -> None:
    log_event(_LOG, logging.INFO, "started", http_port=ports.http, grpc_port=ports.grpc)


async def _drain(
    parts: Collaborators,
    http_server: _HttpServer,
    serving: asyncio.Task[None],
    grpc_server: GrpcServer,
) -> None:
    log_event(_LOG, logging.INFO, "draining", in_flight=parts.entrance.admission.count)
    parts.readiness.begin_drain()
    await grpc_server.end_health()
    await asyncio.sleep(parts.settings.drain_delay_s)
    http_server.end()
    await asyncio.gather(serving, grpc_server.stop(parts.settings.drain_timeout_s))


def _http_server(app: ASGIApp, parts: Collaborators) -> _HttpServer:
    settings = parts.settings
    protocol = partial(GuardedHttpProtocol, Connections(parts.connection_limits, parts.metrics))
    return _HttpServer(
        uvicorn.Config(
            app,
            http=cast("type[GuardedHttpProtocol]", protocol),  # it is called, and no more
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=math.ceil(settings.drain_timeout_s),
        ),
        protocol,
    )


def stop_on_signals() -> asyncio.Event:
    """Returns an event that SIGTERM and SIGINT set; a second one cancels the calling task."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()

    def on_signal() -> None:
        if stop.is_set() and main is not None:
            main.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop
