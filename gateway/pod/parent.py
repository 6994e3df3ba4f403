"""The parent of a pod: reserves the ports, keeps the workers alive, and ends them in order.

It serves nothing itself and loads nothing of what serves. A worker that dies is replaced, after a
pause that doubles while deaths follow each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.listening import reserve
from gateway.pod.worker_process import WorkerProcess
from gateway.receipts.first_keys import make_pod_keys
from gateway.start_errors import WorkerStartError
from gateway.telemetry.exposition import forget_worker
from gateway.telemetry.logs import log_event
from gateway.worker_place import WorkerPlace

if TYPE_CHECKING:
    from gateway.settings import Settings

_LOG: Final = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 30.0
_STABLE_S: Final = 30.0  # who lived that long did not die of its start
_KILL_AFTER_S: Final = 5.0  # beyond what a worker's own drain may take


async def run_pod(settings: Settings) -> bool:
    """Serves with several workers until a signal.

    Returns:
        Whether the end was orderly; False when a second signal cut it short.

    Raises:
        BindError: an address is taken or not ours.
        WorkerStartError: a worker ended before it had served.
    """
    with (
        tempfile.TemporaryDirectory(prefix="diptych-gateway-metrics-") as folder,
        reserve("HTTP", settings.http_host, settings.http_port) as http,
        reserve("GRPC", settings.grpc_host, settings.grpc_port) as grpc,
    ):
        if settings.receipt_keys_file is None:
            make_pod_keys(Path(folder))
        ports = http.getsockname()[1], grpc.getsockname()[1]
        pod = _Pod(settings, ports, Path(folder))
        await pod.run()
    log_event(_LOG, logging.INFO, "stopped")
    return not pod.is_cut_short


class _Pod:
    def __init__(self, settings: Settings, ports: tuple[int, int], folder: Path) -> None:
        self._settings = settings
        self._http_port, self._grpc_port = ports
        self._folder = folder
        self._running: dict[int, WorkerProcess] = {}
        self._has_served: set[int] = set()
        self._stop = asyncio.Event()
        self.is_cut_short = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        killing = asyncio.create_task(self._kill_late())
        try:
            async with asyncio.TaskGroup() as workers:
                for index in range(self._settings.workers):
                    workers.create_task(self._keep(index))
        except* WorkerStartError as errors:
            raise errors.exceptions[0] from None
        finally:
            killing.cancel()

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self.is_cut_short = True
        else:
            log_event(_LOG, logging.INFO, "stopping", workers=len(self._running))
        self._stop.set()
        for worker in self._running.values():
            worker.terminate()

    async def _keep(self, index: int) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stop.is_set():
            begun_s = time.monotonic()
            status = await self._run_worker(index)
            if self._stop.is_set():
                return
            if index not in self._has_served:
                raise WorkerStartError(index, status)
            if time.monotonic() - begun_s > _STABLE_S:
                pause_s = _FIRST_PAUSE_S
            log_event(
                _LOG, logging.ERROR, "worker_ended", worker=index, status=status, pause_s=pause_s
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause_s)
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)

    async def _run_worker(self, index: int) -> int:
        worker = await WorkerProcess.start(
            WorkerPlace(
                index, self._settings.workers, self._http_port, self._grpc_port, self._folder
            )
        )
        self._running[index] = worker
        try:
            if self._stop.is_set():  # the signal came while it was being started
                worker.terminate()
            if await worker.wait_started():
                self._note_started(index, worker)
            return await worker.wait()
        except asyncio.CancelledError:  # another could not start: none stays
            worker.terminate()
            await worker.wait()
            raise
        finally:
            del self._running[index]
            forget_worker(self._folder, index)

    def _note_started(self, index: int, worker: WorkerProcess) -> None:
        log_event(_LOG, logging.INFO, "worker_started", worker=index, pid=worker.pid)
        is_first_time = index not in self._has_served
        self._has_served.add(index)
        if is_first_time and len(self._has_served) == self._settings.workers:
            log_event(
                _LOG,
                logging.INFO,
                "started",
                http_port=self._http_port,
                grpc_port=self._grpc_port,
                workers=self._settings.workers,
            )

    async def _kill_late(self) -> None:
        await self._stop.wait()
        settings = self._settings
        await asyncio.sleep(settings.drain_delay_s + settings.drain_timeout_s + _KILL_AFTER_S)
        for worker in self._running.values():
            worker.kill()
