"""A relay on the way to a server that can become a black hole.

Then it goes on to accept connections and reads what is sent, as a network does that drops packets
behind a load balancer, and nothing ever comes back. What was held is passed on when it ends, as TCP
would send it again.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

_CHUNK_BYTES: Final = 65_536
_START_TIMEOUT_S: Final = 5.0


class Relay:
    """Runs in a thread of its own from entry to exit.

    Args:
        address: where it listens.
        target: where it passes on to.
    """

    def __init__(self, address: tuple[str, int], target: tuple[str, int]) -> None:
        self._address = address
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._is_open = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._is_listening = threading.Event()
        self._stop = asyncio.Event()

    def set_black_hole(self, is_black_hole: bool) -> None:
        """Begins or ends to swallow everything."""
        change = self._is_open.clear if is_black_hole else self._is_open.set
        self._loop.call_soon_threadsafe(change)

    def __enter__(self) -> Self:
        """Begins to listen."""
        self._thread.start()
        if not self._is_listening.wait(_START_TIMEOUT_S):
            raise TimeoutError("the relay does not listen")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes all connections."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._is_open.set()
        server = await asyncio.start_server(self._connect, *self._address)
        self._is_listening.set()
        await self._stop.wait()
        server.close()
        for each in self._connections:
            each.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio calls this in a task
        self._connections.add(task)
        try:
            await self._is_open.wait()
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            try:
                await asyncio.wait(
                    {
                        asyncio.ensure_future(self._pass_on(reader, far_writer)),
                        asyncio.ensure_future(self._pass_on(far_reader, writer)),
                    },
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                far_writer.close()
        except OSError:
            pass  # the target is away: so is this connection
        finally:
            writer.close()
            self._connections.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._is_open.wait()
                writer.write(data)
                await writer.drain()
