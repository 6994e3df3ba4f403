"""Decides at the start with which receipt keys a process begins."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.receipts.keys_file import ReceiptKeys, new_secret, read_receipt_keys
from gateway.telemetry.logs import log_event

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.worker_place import WorkerPlace

_LOG: Final = logging.getLogger(__name__)
_POD_FILE: Final = "receipt-keys.toml"


def first_receipt_keys(path: Path | None, place: WorkerPlace | None) -> ReceiptKeys:
    """Returns the keys to begin with.

    Args:
        path: of the file of receipt keys, or None: then they end with the process or the pod, and
            feedback for what they signed is refused afterwards.
        place: of this process among the workers of a pod; None: it is alone.

    Raises:
        ReceiptKeysFileError: the file is not right.
    """
    if path is not None:
        return read_receipt_keys(path)
    if place is None:
        log_event(_LOG, logging.WARNING, "receipt_keys_ephemeral")
        return ReceiptKeys.ephemeral()
    keys = read_receipt_keys(place.metrics_folder / _POD_FILE)
    return replace(keys, is_ephemeral=True)


def make_pod_keys(folder: Path) -> None:
    """Makes keys that the workers of a pod share, and that end with it.

    Args:
        folder: of the pod, which no other user can read.
    """
    log_event(_LOG, logging.WARNING, "receipt_keys_ephemeral")
    (folder / _POD_FILE).write_text(f'[[key]]\nid = "ephemeral"\nsecret = "{new_secret()}"\n')
