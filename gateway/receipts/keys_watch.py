"""Follows the file of receipt keys, so that they are rotated without a restart.

Looked at every second, as `identity.keys_watch` does and for its reasons. A file that is not right
is refused whole, and the keys that were good go on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from gateway.identity.keys_watch import file_signature
from gateway.receipts.keys_file import read_receipt_keys
from gateway.start_errors import ReceiptKeysFileError
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.receipts.ring import ReceiptRing
    from gateway.telemetry.feedback_metrics import FeedbackMetrics

_LOG: Final = logging.getLogger(__name__)
_LOOK_S: Final = 1.0


class ReceiptKeysWatch:
    """Keeps a ring like its file.

    Args:
        path: of the file.
        ring: is given the keys.
        metrics: is shown what happens.
    """

    def __init__(self, path: Path, ring: ReceiptRing, metrics: FeedbackMetrics) -> None:
        self._path = path
        self._ring = ring
        self._metrics = metrics
        self._signature = file_signature(path)

    async def run(self) -> None:
        """Follows the file until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Looks once, and takes over what is new."""
        signature = await asyncio.to_thread(file_signature, self._path)
        if signature == self._signature:
            return
        # Before it is read: a change while it is being read is seen by the next look.
        self._signature = signature
        try:
            keys = await asyncio.to_thread(read_receipt_keys, self._path)
        except ReceiptKeysFileError as error:
            self._metrics.count_keys_reload(is_refused=True)
            log_event(
                _LOG,
                logging.ERROR,
                "receipt_keys_refused",
                path=str(self._path),
                faults=error.faults,
                keys_kept=len(self._ring),
            )
            return
        self._ring.replace(keys)
        self._metrics.count_keys_reload(is_refused=False)
        self._metrics.set_receipt_keys(len(self._ring))
        log_event(
            _LOG,
            logging.INFO,
            "receipt_keys_loaded",
            path=str(self._path),
            keys=[each.id for each in keys.keys],
        )
