"""Uvicorn's HTTP protocol, with the two moments that it does not note."""

from __future__ import annotations

import time
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ARRIVED_KEY: Final = "diptych.arrived_s"
"""Key of the ASGI scope: when the first byte of the head was read, by `time.perf_counter`."""


class TimedHttpProtocol(HttpToolsProtocol):
    """Notes the arrival of each request, from which its deadline counts."""

    def on_message_begin(self) -> None:
        """Called by the parser with the first byte of a request."""
        super().on_message_begin()
        self.scope[ARRIVED_KEY] = time.perf_counter()  # type: ignore[typeddict-unknown-key]

    def on_message_complete(self) -> None:
        """Called by the parser after the last byte of a request.

        The body of a refused request is read and dropped after the answer, which stops uvicorn's
        timer for idle connections (0.51); without it the connection would stay open for ever.
        """
        super().on_message_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
