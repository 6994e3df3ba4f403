"""Receipts and their keys for tests."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gateway.contract.manifest import ModalitySet
from gateway.receipts.keys_file import ReceiptKey, ReceiptKeys, new_secret
from gateway.receipts.receipt import (
    DrawnArm,
    PredictedTask,
    Receipt,
    TaskKind,
)
from gateway.routing.reason import Reason

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 22, 12, 0, 0, 123_000, tzinfo=UTC)
DRAW = DrawnArm("new-head", "0badcafe", "default", "openmoji", 0.25, is_sticky=True)


def predicted_task(
    *labels: str, name: str = "", kind: TaskKind = "one", scores: tuple[float, ...] = (0.9, 0.1)
) -> PredictedTask:
    return PredictedTask(name, kind, labels, None, scores)


def make_receipt(**changes: Any) -> Receipt:  # noqa: ANN401 - any field
    """Makes a receipt as the demo's are."""
    fields: dict[str, Any] = {
        "issued_at": NOW,
        "variant": "openmoji",
        "digest": "ab" * 8,
        "modalities": ModalitySet.BOTH,
        "tasks": (predicted_task("People & Body", scores=(0.9, 0.06, 0.02, 0.01, 0.005)),),
        "reason": Reason.ASSIGNED,
        "draw": DRAW,
        "unit": "0123456789abcdef",
        "nonce": os.urandom(6),
        **changes,
    }
    return Receipt(**fields)


def make_keys(*ids: str) -> ReceiptKeys:
    """Makes keys that are all good; the last signs."""
    keys = tuple(ReceiptKey(each, new_secret().encode()) for each in ids or ("first",))
    return ReceiptKeys(keys, (new_secret().encode(),))


def write_keys(folder: Path) -> Path:
    """Writes a file of keys, as replicas share one."""
    path = folder / "receipts.toml"
    path.write_text(
        f'unit_secrets = ["{new_secret()}"]\n[[key]]\nid = "first"\nsecret = "{new_secret()}"\n'
    )
    return path
