"""Follows the file of receipt keys: they are rotated without a restart."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from gateway.followed_file import FollowedFile
from gateway.receipts.keys_file import read_receipt_keys
from gateway.start_errors import ReceiptKeysFileError
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.receipts.keys_file import ReceiptKeys
    from gateway.receipts.ring import ReceiptRing
    from gateway.telemetry.feedback_metrics import FeedbackMetrics

_LOG: Final = logging.getLogger(__name__)


def follow_receipt_keys(
    path: Path, ring: ReceiptRing, metrics: FeedbackMetrics
) -> FollowedFile[ReceiptKeys, ReceiptKeysFileError]:
    """Makes what keeps a ring like its file.

    Args:
        path: of the file.
        ring: is given the keys.
        metrics: is shown what happens.
    """

    def take(keys: ReceiptKeys) -> None:
        ring.replace(keys)
        metrics.count_keys_reload(is_refused=False)
        metrics.set_receipt_keys(len(ring))
        ids = [each.id for each in keys.keys]
        log_event(_LOG, logging.INFO, "receipt_keys_loaded", path=str(path), keys=ids)

    def refuse(error: ReceiptKeysFileError) -> None:
        metrics.count_keys_reload(is_refused=True)
        log_event(
            _LOG,
            logging.ERROR,
            "receipt_keys_refused",
            path=str(path),
            faults=error.faults,
            keys_kept=len(ring),
        )

    read = partial(read_receipt_keys, path)
    return FollowedFile(path, read, ReceiptKeysFileError, take=take, refuse=refuse)
