"""One worker: `python -m gateway.pod.worker`, started by the parent and by nobody else.

A process of its own from the first instruction on, nothing is forked: gRPC's threads would not
survive that. It drains on SIGTERM, and when its parent is gone: its standard input is a pipe whose
other end only the parent holds.
"""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop

from gateway.server import Ports, serve_until, stop_on_signals
from gateway.settings import load_settings
from gateway.start_errors import StartError
from gateway.telemetry.exposition import join_pod
from gateway.telemetry.logs import configure_logs
from gateway.worker_place import WorkerPlace

STARTED = b"started\n"

_EXIT_FAILURE = 1
_EXIT_INTERRUPTED = 130


async def _serve(place: WorkerPlace, started_fd: int) -> None:
    settings = load_settings(os.environ)
    configure_logs(settings.log_level, fields={"worker": place.index})
    stop = stop_on_signals()
    stdin_fd = sys.stdin.fileno()

    def on_parent_gone() -> None:
        if not os.read(stdin_fd, 1):
            asyncio.get_running_loop().remove_reader(stdin_fd)
            stop.set()

    def on_started(_: Ports) -> None:
        os.write(started_fd, STARTED)
        os.close(started_fd)

    asyncio.get_running_loop().add_reader(stdin_fd, on_parent_gone)
    await serve_until(stop, settings, on_started, place)


def main(arguments: list[str]) -> int:
    """Serves until it is told to end.

    Args:
        arguments: the file descriptor on which to say that it serves, and its place.

    Returns:
        As `python -m gateway` does.
    """
    started_fd, *rest = arguments
    place = WorkerPlace.from_arguments(rest)
    join_pod(place.metrics_folder, place.index)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(place, int(started_fd)))
    except StartError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as `__main__` says it
        return _EXIT_FAILURE
    except asyncio.CancelledError:
        return _EXIT_INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
