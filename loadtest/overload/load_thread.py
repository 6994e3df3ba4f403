"""Load in a thread, for benches that do something to the servers meanwhile."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from loadtest.bench.errors import BenchError
from loadtest.overload.open_loop import OpenLoop

if TYPE_CHECKING:
    from loadtest.bench.load import Server
    from loadtest.overload.open_loop import Reply, Stretch


class LoadThread:
    """Callers in a thread. What is done to servers is not done in one.

    A server that is started again must belong to a thread that stays (see `deploy.local.tether`).

    Args:
        server: where to send what.
        stretch: of load.
    """

    def __init__(self, server: Server, stretch: Stretch) -> None:
        self._server = server
        self._stretch = stretch
        self._replies: list[Reply] = []
        self._error: BenchError | None = None
        # A daemon: Ctrl-C does not wait for callers that have nobody left to call.
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def replies(self) -> list[Reply]:
        """Waits until all is answered.

        Raises:
            BenchError: the gateway does not accept connections.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._replies

    def _run(self) -> None:
        try:
            with OpenLoop(self._server) as loop:
                self._replies = loop.run([self._stretch], seed=1)
        except BenchError as error:
            self._error = error
