"""A worker as its parent sees it: started, heard of, told to end, waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from gateway.worker_place import WorkerPlace

_MODULE = "gateway.pod.worker"


class WorkerProcess:
    """One process, from start to end.

    Attributes:
        has_started: whether it said that it serves.
    """

    def __init__(self, process: asyncio.subprocess.Process, started: asyncio.StreamReader) -> None:
        self._process = process
        self._started = started
        self.has_started = False

    @classmethod
    async def start(cls, place: WorkerPlace) -> Self:
        """Starts a worker and returns at once."""
        reading_fd, started_fd = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _MODULE,
                str(started_fd),
                *place.to_arguments(),
                stdin=asyncio.subprocess.PIPE,  # its end tells the worker that the parent is gone
                pass_fds=(started_fd,),
                # Ctrl-C reaches the parent alone, which then tells the workers once.
                start_new_session=True,
            )
        except BaseException:
            os.close(reading_fd)
            raise
        finally:
            os.close(started_fd)
        started = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(started), os.fdopen(reading_fd, "rb")
        )
        return cls(process, started)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait_started(self) -> bool:
        """Waits until it serves or has ended; says which."""
        self.has_started = bool(await self._started.readline())
        return self.has_started

    def terminate(self) -> None:
        """Asks it to drain and end; a second time, to end at once."""
        with contextlib.suppress(ProcessLookupError):  # it was quicker
            self._process.terminate()

    def kill(self) -> None:
        """Ends it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> int:
        """Waits for its end; returns its exit status, negative for the signal that ended it."""
        return await self._process.wait()
